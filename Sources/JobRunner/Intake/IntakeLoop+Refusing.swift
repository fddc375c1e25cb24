internal import JobCore

/// Files that cannot be stored: nothing of them stays in the store, and none is called refused that
/// is there.
extension IntakeLoop {
    /// Nothing of the file may be, or stay, in the store.
    func refuse(_ file: SpoolDirectory.Taken, _ refusal: Refusal) {
        if refusal.code == Refusal.settingsChanged.code { return beginAnew(file) }
        guard staging?.file == file else {
            if refusal.code == Refusal.fileChanged.code {
                settings.say(.pieceDropped(file.takenAs))
            }
            inHand[file] = .answered(.refused(reason: refusal.reason))
            return
        }
        let line = refusal.jobPlace.flatMap { staging?.line(ofJob: $0) }
        drop(file, reason: (line.map { "Line \($0): " } ?? "") + refusal.reason)
    }

    func drop(_ file: SpoolDirectory.Taken, reason: String) {
        removeStored(file)
        inHand[file] = .answered(.refused(reason: reason))
    }

    /// What a job means depends on the settings, too, and the file is to be stored as one.
    private func beginAnew(_ file: SpoolDirectory.Taken) {
        removeStored(file)
        settings.log(
            "The file \(quoted(file.name)) was begun under other settings, and is begun anew."
        )
    }

    private func removeStored(_ file: SpoolDirectory.Taken) {
        staging = nil
        directory.dropReceipt(of: file)
        settings.say(.pieceDropped(file.takenAs))
    }

    /// The ending, unless the store has all of the file: since it was stored, an end of the runner
    /// may have kept it in `taken/`, where it may be unfit by now, or under other settings.
    ///
    /// - Returns: Nil while nobody knows.
    func confirmed(
        _ ending: SpoolDirectory.Ending,
        of file: SpoolDirectory.Taken,
        now: Int64
    ) throws(SpoolError) -> SpoolDirectory.Ending? {
        guard case .refused(let reason) = ending else { return ending }
        switch settings.keeping(file.takenAs) {
        case .notAll: return ending
        case .unreadable:
            fail(.file(file), now: now)
            return nil
        case .all(let first, let jobs, let areOwn):
            if areOwn { try writeReceipt(of: file, first, jobs) }
            let kept = SpoolDirectory.Ending.staged(first: first)
            inHand[file] = .answered(kept)
            let missing =
                areOwn ? "" : "\(file.name).ids is not written, for not all ids are known. "
            settings.log(
                "All jobs of the file \(quoted(file.name)) are stored, though it would be refused "
                    + "by now. \(missing)\(reason.prefix { $0 != "\n" })"
            )
            return kept
        }
    }

    private func writeReceipt(
        of file: SpoolDirectory.Taken,
        _ first: JobID,
        _ jobs: Int
    ) throws(SpoolError) {
        try directory.beginReceipt(of: file)
        let together = 10_000
        for place in stride(from: 0, to: jobs, by: together) {
            let places = Int64(place)..<Int64(min(place + together, jobs))
            try directory.add(
                places.map { JobID(rawValue: first.rawValue + $0) },
                toReceiptOf: file
            )
        }
    }
}

extension Refusal {
    /// The job of the submission that is meant, from 0, of a field such as `jobs[3].key`.
    fileprivate var jobPlace: Int? {
        guard let field, field.hasPrefix("jobs[") else { return nil }
        return Int(field.dropFirst("jobs[".count).prefix { $0 != "]" })
    }
}
