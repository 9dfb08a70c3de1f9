#pragma once
// BEGIN … COMMIT, or ROLLBACK where commit() was not reached. Private to storage. Threads: those
// of the connection.
#include "storage/connection.hpp"

namespace jikji::storage {

class Transaction {
public:
    enum class Kind { kRead, kWrite };

    Transaction(Connection& connection, Kind kind) : connection_(connection) {
        connection_.run(kind == Kind::kWrite ? "BEGIN IMMEDIATE;" : "BEGIN;");
    }
    ~Transaction() {
        // SQLite has rolled back by itself after some errors (a full disk is one).
        if (!connection_.in_transaction()) return;
        try {
            connection_.run("ROLLBACK;");
        } catch (...) {  // the error that brought us here is the one to report
        }
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    /// Throws as Connection::run; what was written is undone then.
    void commit() { connection_.run("COMMIT;"); }

private:
    Connection& connection_;
};

}  // namespace jikji::storage
