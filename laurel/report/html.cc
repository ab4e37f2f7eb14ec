#include "laurel/report/html.h"

#include <fmt/format.h>

namespace laurel::report {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--bg:#fbfaf7;--card:#fff;--ink:#1f2528;--soft:#616b70;--line:#e2e0d9;--right:#2a7f78;
--wrong:#c8663a;--bar:#3f8f6b;--track:#eceae3;--whisker:#1f2528;--shadow:0 1px 2px rgba(0,0,0,.05)}
@media (prefers-color-scheme:dark){:root{--bg:#14181a;--card:#1c2225;--ink:#e6e8e6;--soft:#9aa5a9;--line:#2d3539;
--right:#5cc0b4;--wrong:#ef9468;--bar:#58b388;--track:#283034;--whisker:#e6e8e6;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:960px;margin:0 auto;padding:36px 20px 64px}
h1{font-size:25px;line-height:1.25;margin:0;font-weight:650;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 12px;font-weight:650}
h3{font-size:14px;margin:18px 0 6px;font-weight:600;color:var(--soft)}
p{margin:0 0 10px}.soft{color:var(--soft)}.small{font-size:13px}
.kicker{color:var(--soft);font-size:13px;letter-spacing:.06em;text-transform:uppercase;margin-bottom:4px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:22px 0}
.card,section{background:var(--card);border:1px solid var(--line);border-radius:10px;box-shadow:var(--shadow)}
.card{padding:14px 16px}.card b{display:block;font-size:23px;white-space:nowrap;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
.card.main b{font-size:36px;color:var(--bar)}.card span{color:var(--soft);font-size:13px}
section{padding:20px 22px;margin:16px 0}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));gap:16px}.two section{margin:0}.two table{align-self:start}
@media (max-width:480px){.two{grid-template-columns:1fr}}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;color:var(--soft);font-size:13px}td.n,th.n{text-align:right;white-space:nowrap}
tr:last-child td{border-bottom:0}td.key{color:var(--soft);width:32%}
svg{display:block;width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg text.soft{fill:var(--soft)}
.track{fill:var(--track)}.bar{fill:var(--bar)}.whisker{stroke:var(--whisker);stroke-width:1.5;fill:none}
.grid{stroke:var(--line);stroke-width:1}.right{fill:var(--right)}.wrong{fill:var(--wrong)}
.cell{fill:var(--bar)}.area{opacity:.5}.dot{opacity:.45}
.curve{fill:none;stroke-width:2;stroke-linejoin:round}.curve.raw{stroke-width:1;opacity:.35}
.curve.bar{stroke:var(--bar)}.curve.right{stroke:var(--right)}.curve.wrong{stroke:var(--wrong)}
.reference{stroke:var(--soft);stroke-dasharray:4 4}.mark{fill:var(--card);stroke:var(--ink);stroke-width:2}
.before{fill:var(--soft);opacity:.45}
.legend{display:flex;gap:18px;font-size:13px;color:var(--soft);margin-bottom:6px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}
.legend i.r{background:var(--right)}.legend i.w{background:var(--wrong)}
.legend i.b{background:var(--bar)}.legend i.o{background:var(--soft);opacity:.45}.legend i.m{background:var(--card);border:2px solid var(--ink);border-radius:50%}
details{border-top:1px solid var(--line);padding:9px 0}details:first-of-type{border-top:0}
summary{cursor:pointer;display:flex;gap:12px;align-items:baseline;list-style:none}
summary::-webkit-details-marker{display:none}summary::before{content:"▸";color:var(--soft)}
details[open]>summary::before{content:"▾"}
summary .gap{margin-left:auto;color:var(--wrong);font-variant-numeric:tabular-nums;white-space:nowrap}
summary .what{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
summary .tag{color:var(--soft);font-size:13px;white-space:nowrap}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--bg);border:1px solid var(--line);border-left:3px solid var(--line);
border-radius:6px;padding:9px 12px;margin:0 0 8px;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,monospace;max-height:380px;overflow:auto}
pre.r{border-left-color:var(--right)}pre.w{border-left-color:var(--wrong)}
.note{border-left:3px solid var(--wrong);padding:8px 12px;background:var(--card);border-radius:4px;margin:12px 0}
code{font:13px ui-monospace,SFMono-Regular,Menlo,monospace}
)css";

}  // namespace

std::string escape_html(std::string_view text) {
  std::string result;
  result.reserve(text.size() + text.size() / 8);
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        const bool forbidden = (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f;
        if (forbidden) {
          result += "\xef\xbf\xbd";
        } else {
          result += c;
        }
      }
    }
  }
  return result;
}

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }

std::string number(double value) { return fmt::format("{:.4g}", value); }

std::string cut(const std::string& text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  while (end > 0 && (text[end] & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

std::string section(std::string_view title, std::string_view body) {
  return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", escape_html(title), body);
}

std::string card(std::string_view value, std::string_view label, std::string_view style) {
  return fmt::format("<div class=\"card {}\"><b>{}</b><span>{}</span></div>\n", style,
                     escape_html(value), escape_html(label));
}

void add_fact(std::string& rows, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  rows += fmt::format("<tr><td class=\"key\">{}</td><td>{}</td></tr>\n", escape_html(key),
                      escape_html(value));
}

std::string html_page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">\n<title>{}</title>\n<style>{}</style>\n"
      "</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
      escape_html(title), kStyle, body);
}

}  // namespace laurel::report
