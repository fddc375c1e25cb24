internal import JobCore

/// How the jobs of files ended, beside the files.
extension IntakeLoop {
    func publish(now: Int64) {
        var written: [FileID: String] = [:]
        for file in ended where !failing.contains(.results(file)) {
            let isFine = attempt(.results(file), now: now) { () throws(SpoolError) in
                written[file] = try publishOn(file, now: now)
            }
            // Begun anew another time.
            if !isFine { drafts.removeValue(forKey: file)?.discard() }
        }
        guard !written.isEmpty else { return }
        let areSure = attempt(.sync, now: now) { () throws(SpoolError) in
            try directory.syncResults()
        }
        guard areSure else { return }
        ended.removeAll { written[$0] != nil }
        published.merge(written) { $1 }
    }

    /// Writes all results of a file, or the next part of very many.
    ///
    /// - Returns: How the file was called in `taken/`, once all are written.
    private func publishOn(_ file: FileID, now: Int64) throws(SpoolError) -> String? {
        guard let part = settings.results(file, drafts[file]?.next ?? FileResults.Page()) else {
            fail(.results(file), now: now)
            return nil
        }
        if let draft = drafts[file] {
            try draft.add(part)
        } else if part.next == nil {
            try directory.publish(part)
            return part.takenAs
        } else {
            drafts[file] = try directory.draft(part)
        }
        guard let draft = drafts[file], draft.next == nil else { return nil }
        try draft.finish()
        drafts[file] = nil
        return draft.takenAs
    }
}
