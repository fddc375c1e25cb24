internal import JobCore
internal import SQLite

/// Why a SQL job has failed, in words for people.
extension SQLRun {
    func failure(_ problem: Problem) -> Failure {
        switch problem {
        case .sqlite(let error, _) where error.isReadOnly && order.salt != nil:
            return failure(.noReceipt(error.message))
        case .sqlite(let error, let place):
            var failure = Failure(error, what: "The SQL failed")
            // The authorizer is not asked about VACUUM; the transaction around every job stops it.
            if error.message.hasPrefix("cannot VACUUM") { failure.code = .denied }
            failure.offset = error.offset.map { $0 + place }
            return failure
        case .inRow(let row, let error):
            var failure = failure(.sqlite(error, at: 0))
            failure.message = "Row \(row): \(failure.message)"
            return failure
        case .encoder(.sqlite(let error)): return Failure(error, what: "The SQL failed")
        case .encoder(.tooManyRows(let limit)): return tooLarge("\(limit) rows")
        case .encoder(.tooManyBytes(let limit)): return tooLarge("\(limit) bytes")
        case .noReceipt(let reason):
            return Failure(
                .noReceipt,
                "The database cannot hold the receipt of a job that writes: \(reason).",
                hint: "Let the runner write to its file, and keep the name millrace_receipts free.",
                isPermanent: true
            )
        case .receiptOfOtherWork:
            return Failure(
                .receiptConflict,
                "The database holds a receipt of this job for other work.",
                hint: "The job or its receipt was changed by hand. Submit the work as a new job.",
                isPermanent: true
            )
        case .poisoned: return .poisoned
        case .stopped: return Failure(.sqlError, "The run was broken off.")
        case .parameters(let sentence):
            return Failure(
                .sqlError,
                sentence,
                hint: "Positional values need one statement and a value for each place; "
                    + "named values serve all statements.",
                isPermanent: true
            )
        }
    }

    private func tooLarge(_ limit: String) -> Failure {
        Failure(
            .resultTooLarge,
            "The result is larger than \(limit).",
            hint: "Ask for less, with LIMIT or fewer columns, or raise the limit in the settings.",
            isPermanent: true
        )
    }
}

extension SQLRun.Problem {
    /// What is wrong with the table of receipts. Trouble of the disk may pass.
    init(_ problem: ReceiptBook.Problem) {
        switch problem {
        case .foreignTable: self = .noReceipt("it has another table of that name")
        case .sqlite(let error) where Failure(error, what: "").isPermanent:
            self = .noReceipt(error.message)
        case .sqlite(let error): self = .sqlite(error, at: 0)
        }
    }
}
