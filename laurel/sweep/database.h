// SQLite's C interface with owners and exceptions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace laurel::sweep {

class Statement;

// A database file. What a finished statement or transaction wrote survives the death of the process
// at any instant; a power failure may take back the last of it, never a part (write-ahead log,
// normal synchronization). Several processes may have it open. Not thread-safe. Throws UserError
// for a file that is no database, IoError for everything else.
class Database {
 public:
  // Made when absent, unless `must_exist`, which makes that a UserError.
  Database(std::filesystem::path path, bool must_exist);

  // One or more statements without parameters or results.
  void execute(const std::string& sql);
  Statement prepare(std::string_view sql);

 private:
  friend class Statement;
  [[noreturn]] void fail() const;

  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::filesystem::path path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// A statement with parameters ?1, ?2, … Lives no longer than its database.
class Statement {
 public:
  Statement& bind(int index, std::string_view value);
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, double value);
  Statement& bind_null(int index);

  // Advances to the next row; false when there is none.
  bool step();
  // For statements without rows.
  void run() { step(); }

  // Columns of the row, from 0; null reads as "" or 0.
  std::string text(int column) const;
  std::int64_t integer(int column) const;
  double number(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  Statement(const Database& database, sqlite3_stmt* handle);

  struct Finalize {
    void operator()(sqlite3_stmt* handle) const;
  };
  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// All or nothing: what was written since construction is taken back unless commit() was reached.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace laurel::sweep
