internal import JobCore

/// How the jobs of files ended, beside the files.
extension IntakeLoop {
    /// There is more to write at once.
    var isWritingResults: Bool {
        draft != nil || long.contains { !failing.contains(.results($0)) }
    }

    /// A job of the file has run again, perhaps: what is written of it is not how it ended.
    func hearEnded(_ file: FileID) {
        if draft?.file == file { discardDraft() }
        if !ended.contains(file) { ended.append(file) }
    }

    func publish(now: Int64) {
        var written: [FileID: String] = [:]
        for file in ended where !failing.contains(.results(file)) && isInTurn(file) {
            let isFine = attempt(.results(file), now: now) { () throws(SpoolError) in
                written[file] = try publishOn(file, now: now)
            }
            // Begun anew another time.
            if !isFine, draft?.file == file { discardDraft() }
        }
        guard !written.isEmpty else { return }
        let areSure = attempt(.sync, now: now) { () throws(SpoolError) in
            try directory.syncResults()
        }
        guard areSure else { return }
        ended.removeAll { written[$0] != nil }
        published.merge(written) { $1 }
    }

    /// Long results are written one after the other.
    private func isInTurn(_ file: FileID) -> Bool {
        draft.map { $0.file == file } ?? true || !long.contains(file)
    }

    private func discardDraft() {
        draft?.discard()
        draft = nil
    }

    /// Writes all results of a file, or the next part of very many.
    ///
    /// - Returns: How the file was called in `taken/`, once all are written.
    private func publishOn(_ file: FileID, now: Int64) throws(SpoolError) -> String? {
        let own = draft?.file == file ? draft : nil
        guard let part = settings.results(file, own?.next ?? FileResults.Page()) else {
            fail(.results(file), now: now)
            return nil
        }
        if let own {
            try own.add(part)
            guard own.next == nil else { return nil }
            try own.finish()
            draft = nil
        } else if part.next == nil {
            try directory.publish(part)
        } else {
            long.insert(file)
            if draft == nil { draft = try directory.draft(file, part) }
            return nil
        }
        long.remove(file)
        return part.takenAs
    }
}
