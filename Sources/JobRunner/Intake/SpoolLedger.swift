internal import JobCore
internal import JobStorage
internal import Logging

/// What the intake reads of the store: which files have ended, and how. It is asked seldom, so it
/// opens the store anew each time.
struct SpoolLedger: Sendable {
    private let path: String
    private let limits: Limits
    private let log: Logger

    init(path: String, _ limits: Limits, _ log: Logger) {
        self.path = path
        self.limits = limits
        self.log = log
    }

    /// Files whose results do not lie beside them yet, though their jobs have ended.
    func endedFiles() throws(StoreError) -> [FileID] { try open().endedFiles() }

    /// Files of which not all jobs are stored, by their names in `taken/`.
    func loadingFiles() throws(StoreError) -> [String] { try open().loadingFiles() }

    private func open() throws(StoreError) -> StoreReader {
        try StoreReader(path: path, limits: limits)
    }

    /// What the store has of the file that was taken under this name.
    func keeping(takenAs: String) -> FileKeeping {
        let stored = reading { store throws(StoreError) in
            try store.storedFile(takenAs: takenAs)
        }
        guard let stored else { return .unreadable }
        guard let file = stored else { return .notAll }
        return .all(first: file.first, jobs: file.jobs, areOwn: file.areOwn)
    }

    /// Nil when the store cannot be read now.
    func results(of file: FileID, _ page: FileResults.Page) -> FileResults? {
        let report = reading { store throws(StoreError) in
            try store.report(on: file, from: page.from, holding: page.room)
        }
        guard let report = report ?? nil else { return nil }
        var results = FileResults(
            name: report.name,
            takenAs: report.takenAs,
            jobs: report.jobs.map { FileResults.Job($0.result, name: $0.name) }
        )
        results.next = report.next
        results.isPart = report.next != nil || page.from != nil
        return results
    }

    private func reading<Answer>(
        _ body: (StoreReader) throws(StoreError) -> Answer
    ) -> Answer? {
        do throws(StoreError) {
            return try body(open())
        } catch {
            log.error("The store cannot be read.", metadata: ["reason": "\(error.summary)"])
            return nil
        }
    }
}

/// What the store has of a file.
enum FileKeeping: Equatable, Sendable {
    /// That cannot be read now.
    case unreadable
    /// Nothing, or not all of its jobs.
    case notAll
    /// All of its jobs. When they are its own, their ids are those from the first on.
    case all(first: JobID, jobs: Int, areOwn: Bool)
}

extension IntakeNotice {
    init(_ notice: FileNotice) {
        self =
            switch notice {
            case .accepted(let takenAs, _, let ids): .accepted(takenAs: takenAs, ids: ids)
            case .refused(let takenAs, let refusal): .refused(takenAs: takenAs, refusal)
            case .staged(let takenAs, let ids, let isAll):
                .staged(takenAs: takenAs, ids: ids, isAll: isAll)
            case .ended(let file): .ended(file)
            }
    }
}
