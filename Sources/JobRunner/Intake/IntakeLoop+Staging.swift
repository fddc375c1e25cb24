internal import JobCore

/// Files that hold more jobs than one submission: one of them after the other goes into the store,
/// piece by piece, between the turns of all other files.
extension IntakeLoop {
    /// True when there is something to do about them at once.
    var canStage: Bool {
        if let staging { return !staging.isWaiting && !failing.contains(.file(staging.file)) }
        return nextLarge != nil
    }

    /// Any file of lines may turn out to be one of them.
    var hasRoomForLarge: Bool {
        let files = inHand.filter { file, standing in
            switch standing {
            case .large: true
            case .waiting: file.hasLines
            case .filed, .answered: false
            }
        }
        return files.count < Self.largeMax
    }

    private var nextLarge: SpoolDirectory.Taken? {
        inHand.filter { file, standing in
            if case .large = standing { !failing.contains(.file(file)) } else { false }
        }.keys.min()
    }

    func stage(now: Int64) {
        guard let file = staging?.file ?? nextLarge else { return }
        let isDone = attempt(.file(file), now: now) { () throws(SpoolError) in
            try stageOn(file)
        }
        // It is begun anew; the store knows what it has.
        if !isDone { staging = nil }
    }

    private func stageOn(_ file: SpoolDirectory.Taken) throws(SpoolError) {
        guard let staging else {
            staging = try StagedFile(
                file,
                in: directory,
                limits: settings.limits,
                parse: settings.parse
            )
            if staging == nil { forget(file) }
            return
        }
        guard !staging.isWaiting else { return }
        switch try staging.step() {
        case .again: break
        case .submit(let piece): settings.say(.filePiece(piece))
        case .refuse(let problem): drop(file, reason: problem.reason)
        case .end(let first):
            inHand[file] = .answered(.staged(first: first))
            self.staging = nil
        }
    }

    /// Somebody has removed it from `taken/`.
    private func forget(_ file: SpoolDirectory.Taken) {
        settings.say(.pieceDropped(file.takenAs))
        inHand[file] = nil
        goingOn.remove(file.takenAs)
    }

    /// A file that is being stored has the same key: others need not wait for it.
    func waitForKey(_ file: SpoolDirectory.Taken, _ refusal: Refusal, now: Int64) {
        if staging?.file == file {
            // It is begun anew, and the other may come first.
            staging = nil
        } else {
            inHand[file] = .waiting
        }
        fail(.file(file), now: now)
        overview.failure = "The file \(quoted(file.name)) waits: \(refusal.summary)"
    }

    /// What an earlier run has begun, and whose file has gone since, does not come to its end.
    func dropBegun(now: Int64) {
        guard !begun.isEmpty else { return }
        attempt(.look, now: now) { () throws(SpoolError) in
            for takenAs in begun where try !directory.isTaken(as: takenAs) {
                settings.say(.pieceDropped(takenAs))
                let name = SpoolDirectory.Taken(takenAs: takenAs)?.name ?? takenAs
                settings.log(
                    "The file \(quoted(name)) was begun, and is not in taken/ any more: what was "
                        + "stored of it is removed."
                )
            }
            begun = []
        }
    }
}
