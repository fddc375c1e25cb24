public import JobCore
internal import SQLite

/// The ledger of the spool, as the thread reads it that writes results beside the files.
extension StoreReader {
    /// A file of the spool, and how the jobs that it brought have ended, in its order.
    public struct FileReport: Equatable, Sendable {
        public var name: String
        public var takenAs: String
        public var jobs: [Job]
        /// The job that the next part of a long report begins with; nil when there is none.
        public var next: JobID?

        public struct Job: Equatable, Sendable {
            public var result: JobResult
            /// As the file called it.
            public var name: String?
        }
    }

    /// Files whose jobs have all ended and whose results do not lie beside them yet.
    public func endedFiles() throws(StoreError) -> [FileID] {
        try reading { () throws(SQLiteError) in
            try questions[.endedFiles].all { FileID(rawValue: $0.integer(0)) }
        }
    }

    /// Files that are not written to their end, by their names in `taken/`.
    public func loadingFiles() throws(StoreError) -> [String] {
        try reading { () throws(SQLiteError) in
            try questions[.loadingFiles].all { $0.text(0) }
        }
    }

    /// A file all of whose jobs are stored.
    public struct StoredFile: Equatable, Sendable {
        public var first: JobID
        public var jobs: Int
        /// Each of its jobs was made for it and is kept: their ids are those from the first on.
        public var areOwn: Bool

        public init(first: JobID, jobs: Int, areOwn: Bool) {
            self.first = first
            self.jobs = jobs
            self.areOwn = areOwn
        }
    }

    /// Nil when the ledger does not know the file, or not all of its jobs are stored.
    public func storedFile(takenAs: String) throws(StoreError) -> StoredFile? {
        try reading { () throws(SQLiteError) in
            let statement = questions[.fileByName]
            try statement.bind(text: takenAs, at: 1)
            let highest = try highestID()
            guard let file = try statement.first(Stage.init)?.checked(upTo: highest),
                !file.isUnseen, !file.isDamaged
            else { return nil }
            let last = file.first + file.total - 1
            let own = try questions.with(.countFileJobs, file.first, last, file.file.rawValue)
                .first { $0.integer(0) }
            return StoredFile(
                first: JobID(rawValue: file.first),
                jobs: Int(clamping: file.total),
                areOwn: own == file.total
            )
        }
    }

    /// Results of one file that are held in memory together, in bytes: as many as the settings
    /// allow a single result at first.
    public static let reportBytes = 64 << 20
    /// Jobs in one part of a report.
    static let reportJobs = 10_000

    /// Nil when the ledger does not know the file. Results larger than `limits.replyBytes`, and
    /// those that would make more than `reportBytes` together with the ones before them, have a
    /// head and no bytes.
    ///
    /// A report on very many jobs comes in parts: `from` is the first job of the one wanted.
    public func report(
        on file: FileID,
        from start: JobID? = nil,
        holding mostBytes: Int = reportBytes
    ) throws(StoreError) -> FileReport? {
        try reading { () throws(SQLiteError) in
            let row = try questions.with(.file, file.rawValue).first {
                (
                    name: $0.text(0), takenAs: $0.text(1), first: $0.integer(2),
                    count: $0.integer(3)
                )
            }
            guard let row else { return nil }
            let last = row.first &+ row.count &- 1  // Neither, in a damaged file, finds nothing.
            let first = start?.rawValue ?? row.first
            let limit = Int64(Self.reportJobs) + 1
            let statement = try questions.with(.fileJobs, first, last, file.rawValue, limit)
            let found = try statement.all {
                (id: JobID(rawValue: $0.integer(0)), name: $0.isNull(1) ? nil : $0.text(1))
            }
            var jobs: [FileReport.Job] = []
            var room = mostBytes
            for job in found.prefix(Self.reportJobs) {
                guard let result = try result(job.id, within: room) else { continue }
                room -= result.bytes.count
                jobs.append(.init(result: result, name: job.name))
            }
            var report = FileReport(name: row.name, takenAs: row.takenAs, jobs: jobs)
            if found.count > Self.reportJobs { report.next = found.last?.id }
            return report
        }
    }

    /// All its bytes or none: a part of them would be of no use.
    private func result(_ id: JobID, within room: Int) throws(SQLiteError) -> JobResult? {
        let bytes = try head(of: id)?.head.totalBytes ?? 0
        let isHeld = bytes <= min(room, limits.replyBytes)
        let range = ByteRange(offset: 0, limit: isHeld ? nil : 0)
        guard case .result(let result, _) = try result(id, range) else { return nil }
        return result
    }
}
