"""Makes tests/cases/chat_templates/*.json: what jinja2 3.1.6, set up as transformers 4.57.6 does it, gives for
templates and expressions of our own.

Run with jinja2==3.1.6 and transformers==4.57.6:  python tools/goldens/chat_templates.py
To add a case, add it to chat_template_cases.py (expressions) or to the templates of chat_template_families.py.
"""
import json
import pathlib
import datetime as real_datetime
import sys

import jinja2
import transformers
from jinja2.exceptions import (SecurityError, TemplateError, TemplateSyntaxError, UndefinedError)
from transformers.utils import chat_template_utils

import chat_template_cases
import chat_template_families

assert jinja2.__version__ == "3.1.6" and transformers.__version__ == "4.57.6"
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "cases" / "chat_templates"


class FrozenDatetime(real_datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_template_utils.datetime = FrozenDatetime


def outcome(template, variables):
    """{"text": …} or {"error": class}."""
    try:
        return {"text": chat_template_utils._compile_jinja_template(template).render(**variables)}
    except (TemplateSyntaxError, SyntaxError):  # the latter from compiling what jinja2 generates
        return {"error": "syntax"}
    except UndefinedError:
        return {"error": "undefined"}
    except SecurityError:
        return {"error": "security"}
    except TemplateError as error:
        return {"error": "raised" if type(error) is TemplateError else "runtime"}
    except Exception:
        return {"error": "runtime"}


def write(name, content):
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, indent=0)
    (OUT / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    cases = content["cases"]
    print(f"{name}: {len(cases)} cases, {sum('error' in c for c in cases)} errors, {len(text)} bytes")


def small_cases(templates):
    variables = chat_template_cases.VARIABLES
    cases = [{"template": t, **outcome(t, variables)} for t in dict.fromkeys(templates)]
    return {"made_by": "tools/goldens/chat_templates.py", "variables": variables, "cases": cases}


def family_cases():
    cases = []
    for family, template in chat_template_families.TEMPLATES.items():
        for name, variables in chat_template_families.CONVERSATIONS.items():
            cases.append({"name": f"{family}, {name}", "use": family, "variables": variables,
                          **outcome(template, {**chat_template_families.VARIABLES, **variables})})
    return {"made_by": "tools/goldens/chat_templates.py", "variables": chat_template_families.VARIABLES,
            "templates": chat_template_families.TEMPLATES, "cases": cases}


def main():
    for name, templates in chat_template_cases.GROUPS.items():
        write(name, small_cases(templates))
    write("families", family_cases())


if __name__ == "__main__":
    sys.exit(main())
