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
    func endedFiles() -> [FileID] {
        reading { store throws(StoreError) in try store.endedFiles() } ?? []
    }

    /// Files of which not all jobs are stored, by their names in `taken/`.
    func loadingFiles() -> [String] {
        reading { store throws(StoreError) in try store.loadingFiles() } ?? []
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
            return try body(StoreReader(path: path, limits: limits))
        } catch {
            log.error("The store cannot be read.", metadata: ["reason": "\(error.summary)"])
            return nil
        }
    }
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
