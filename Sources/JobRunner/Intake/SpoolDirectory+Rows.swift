internal import JobCore

/// The CSVs that files of jobs name: each is claimed with the first such file, and read as often as
/// that is submitted, until both are put away.
///
/// The file of jobs goes first. As long as it lies in `taken/` the CSV does, too, and nothing is
/// submitted without it; once it is gone nobody needs the CSV any more.
extension SpoolDirectory {
    /// Reads the CSV of that name, which is claimed when the file has none of that name yet.
    func rows(
        _ name: String,
        of file: Taken,
        atMost most: Int
    ) throws(SpoolError) -> Folder.Content {
        let takenAs = file.takenAs(rows: name)
        if try taken.entry(takenAs) == nil {
            guard let entry = try root.entry(name) else { return .missing }
            guard entry.kind == .regular else { return .notRegular }
            if root.isBeingWritten(name) == true {
                throw .beingWritten(path: root.path + "/" + name)
            }
            do {
                try root.move(name, to: taken, as: takenAs)
            } catch  where error.isMissing {
                return .missing
            }
            // Before a job has it: else a power cut would give it its old name back.
            try syncClaims()
        }
        rowsOfTaken[file, default: []].insert(name)
        return try taken.read(takenAs, atMost: most)
    }

    /// Moves the CSVs of a file behind it. Repeating it does no harm.
    func putAwayRows(of file: Taken, _ ending: Ending) throws(SpoolError) {
        for name in rowsOfTaken[file] ?? [] {
            let takenAs = file.takenAs(rows: name)
            do {
                switch ending {
                case .kept, .staged:
                    guard let first = ending.first?.rawValue else { continue }
                    do {
                        try taken.move(takenAs, to: done, as: "\(first)-\(name)")
                    } catch  where error.isTaken {
                        try taken.move(takenAs, to: done, as: "\(first)-\(takenAs)")
                    }
                case .refused: try taken.move(takenAs, to: refused, as: name)
                }
            } catch  where error.isMissing {}  // Moved before.
        }
        rowsOfTaken[file] = nil
    }

    /// Moves CSVs whose file has gone before them, and whose turn a crash has kept from coming.
    func putAwayRows(among names: [String], without files: [Taken]) throws(SpoolError) {
        let held = Set(files.map(\.prefix)).union(rowsOfTaken.keys.map(\.prefix))
        for name in names {
            guard let parts = Taken.parts(of: name), RowsFile.isName(parts.name),
                !held.contains("\(parts.run)-\(parts.number)-")
            else { continue }
            do { try taken.move(name, to: done, as: name) } catch  where error.isTaken {}
        }
    }
}
