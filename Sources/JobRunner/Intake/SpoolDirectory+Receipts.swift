internal import JobCore

/// The receipts of files whose jobs come piece by piece: `NAME.ids` grows with each piece under a
/// name of its own, and gets its place when the file has all of its jobs.
extension SpoolDirectory {
    /// Anew, should one have been begun.
    func beginReceipt(of file: Taken) throws(SpoolError) {
        receipts[file] = try done.draft(file.prefix + "receipt")
    }

    func add(_ ids: [JobID], toReceiptOf file: Taken) throws(SpoolError) {
        let lines = ids.map { "\($0.rawValue)\n" }.joined()
        try receipts[file]?.add(Array(lines.utf8))
    }

    /// Repeating it does no harm.
    func finishReceipt(of file: Taken, _ first: JobID) throws(SpoolError) {
        guard let receipt = receipts[file] else { return }
        if isNewest(file.name, first) {
            try receipt.finish(as: file.name + ".ids")
        } else {
            receipt.discard()
        }
    }

    /// The file has no jobs.
    func dropReceipt(of file: Taken) { receipts.removeValue(forKey: file)?.discard() }
}

extension SpoolDirectory {
    /// Its jobs stand one a line: it may have any size.
    static func mayBeLarge(_ name: String) -> Bool { JobFile(fileName: name) == .jsonl }
}

extension SpoolDirectory.Taken {
    var hasLines: Bool { SpoolDirectory.mayBeLarge(name) }
}
