#include "laurel/sweep/database.h"

#include <sqlite3.h>

#include "laurel/base/error.h"

namespace laurel::sweep {
namespace {

constexpr int kBusyMilliseconds = 30'000;

}  // namespace

void Database::Close::operator()(sqlite3* handle) const { ::sqlite3_close(handle); }

void Statement::Finalize::operator()(sqlite3_stmt* handle) const { ::sqlite3_finalize(handle); }

Database::Database(std::filesystem::path path, bool must_exist) : path_(std::move(path)) {
  if (must_exist && !std::filesystem::is_regular_file(path_)) {
    throw UserError("{}: no such file, expected the record of a sweep", path_.string());
  }
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | (must_exist ? 0 : SQLITE_OPEN_CREATE);
  const int status = ::sqlite3_open_v2(path_.c_str(), &handle, flags, nullptr);
  handle_.reset(handle);
  if (status != SQLITE_OK) fail();
  ::sqlite3_busy_timeout(handle, kBusyMilliseconds);
  execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
}

void Database::fail() const {
  const int code = ::sqlite3_errcode(handle_.get());
  const std::string text = ::sqlite3_errmsg(handle_.get());
  if (code == SQLITE_NOTADB) throw UserError("{}: {}", path_.string(), text);
  throw IoError("{}: {}", path_.string(), text);
}

void Database::execute(const std::string& sql) {
  if (::sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (::sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &statement,
                           nullptr) != SQLITE_OK) {
    fail();
  }
  return {*this, statement};
}

Statement::Statement(const Database& database, sqlite3_stmt* handle)
    : database_(&database), handle_(handle) {}

Statement& Statement::bind(int index, std::string_view value) {
  ::sqlite3_bind_text(handle_.get(), index, value.data(), static_cast<int>(value.size()),
                      SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind(int index, std::int64_t value) {
  ::sqlite3_bind_int64(handle_.get(), index, value);
  return *this;
}

Statement& Statement::bind(int index, double value) {
  ::sqlite3_bind_double(handle_.get(), index, value);
  return *this;
}

Statement& Statement::bind_null(int index) {
  ::sqlite3_bind_null(handle_.get(), index);
  return *this;
}

bool Statement::step() {
  const int status = ::sqlite3_step(handle_.get());
  if (status != SQLITE_ROW && status != SQLITE_DONE) database_->fail();
  return status == SQLITE_ROW;
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(::sqlite3_column_text(handle_.get(), column));
  if (bytes == nullptr) return "";
  return {bytes, static_cast<std::size_t>(::sqlite3_column_bytes(handle_.get(), column))};
}

std::int64_t Statement::integer(int column) const {
  return ::sqlite3_column_int64(handle_.get(), column);
}

double Statement::number(int column) const {
  return ::sqlite3_column_double(handle_.get(), column);
}

bool Statement::is_null(int column) const {
  return ::sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Error&) {  // SQLite has taken it back already
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace laurel::sweep
