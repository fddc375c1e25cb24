import Foundation
import JobCore
import Synchronization

@testable import JobRunner

/// A directory of its own for one test, removed with the value.
final class Scratch {
    let path: String

    /// In memory, where a test makes thousands of syncs.
    init(inMemory: Bool = false) throws {
        let parent = inMemory ? "/dev/shm/" : NSTemporaryDirectory()
        path = parent + "intake-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o755]
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path + "/" + name))
    }

    func rename(_ name: String, to other: String) throws {
        try FileManager.default.moveItem(atPath: path + "/" + name, toPath: path + "/" + other)
    }

    func text(_ name: String) -> String? {
        FileManager.default.contents(atPath: path + "/" + name).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// The names in a folder, dot names included.
    func names(in folder: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/" + folder).sorted()
    }

    /// What lies in the directory itself, beside the four folders.
    var dropped: [String] {
        get throws {
            try names().filter { !["taken", "done", "refused", "results"].contains($0) }
        }
    }
}

/// Stands for the broker and its store: commits files by the name they were taken under, ends their
/// jobs at once, and keeps count.
final class Ledger: Sendable {
    struct State {
        var ids: [String: [JobID]] = [:]
        var names: [FileID: String] = [:]
        var filings: [String: Int] = [:]
        /// What the jobs of a file do, by its name, as they were first committed.
        var bodies: [String: [[UInt8]]] = [:]
        var closed: Set<FileID> = []
        /// Files in pieces that are not whole, by the names that they were taken under.
        var stages: [String: Stage] = [:]
        /// Their pieces that were dropped.
        var dropped: [String] = []
        var log: [String] = []
        /// Answers that wait to be heard.
        var notices: [IntakeNotice] = []
        /// What becomes of the next files instead of a commit.
        var refusals: [Refusal] = []
        /// In which the jobs ended.
        var attempt = 1
        /// The broker dies before it commits anything.
        var isDeaf = false
        /// Nobody can tell what the store has.
        var isUnreadable = false
    }

    struct Stage {
        let row: TakenFile.Row
        let first: Int64
        var bodies: [[UInt8]] = []
    }

    /// Jobs in one part of the results.
    static let partJobs = 3

    let limits: Limits
    let state = Mutex(State())
    private let changed = DispatchSemaphore(value: 0)
    private let answered: Mutex<(@Sendable (IntakeNotice) -> Void)?> = Mutex(nil)

    /// A file of lines with more jobs than that comes in pieces of so many.
    init(submissionJobs: Int = Limits().submissionJobs) {
        var limits = Limits()
        limits.submissionJobs = submissionJobs
        self.limits = limits
    }

    func settings(_ path: String, run: Int64 = 1) -> IntakeSettings {
        IntakeSettings(
            path: path,
            run: RunID(rawValue: run),
            limits: limits,
            parse: parseLoosely,
            say: { [self] in hear($0) },
            results: { [self] in results(of: $0, $1) },
            keeping: { [self] in keeping(takenAs: $0) },
            log: { [self] line in
                state.withLock { $0.log.append(line) }
                changed.signal()
            }
        )
    }

    /// Answers go there at once instead of being kept.
    func answer(to intake: Intake) {
        answered.withLock { $0 = { [weak intake] in intake?.tell($0) } }
    }

    /// Waits until something that was said or logged makes it true.
    func wait(until isTrue: (State) -> Bool) -> Bool {
        let deadline = DispatchTime.now() + .seconds(20)
        while !state.withLock({ isTrue($0) }) {
            guard changed.wait(timeout: deadline) == .success else { return false }
        }
        return true
    }

    func takeNotices() -> [IntakeNotice] {
        state.withLock { state in
            defer { state.notices.removeAll() }
            return state.notices
        }
    }

    /// A start tells again of every file that is not closed.
    func restart() {
        state.withLock { state in
            state.isDeaf = false
            state.notices = state.names.keys.filter { !state.closed.contains($0) }.map {
                .ended($0)
            }
            state.notices += state.stages.keys.map { .begun(takenAs: $0) }
        }
    }

    private func hear(_ event: Event) {
        let notices = state.withLock { state -> [IntakeNotice] in
            switch event {
            case .filed(let file): return state.commit(file)
            case .filePiece(let piece): return state.commit(piece)
            case .pieceDropped(let takenAs):
                state.stages[takenAs] = nil
                state.dropped.append(takenAs)
                return []
            case .fileClosed(let file):
                state.closed.insert(file)
                return []
            default: return []
            }
        }
        if let tell = answered.withLock({ $0 }) {
            for notice in notices { tell(notice) }
        } else {
            state.withLock { $0.notices += notices }
        }
        changed.signal()
    }

    private func keeping(takenAs: String) -> FileKeeping {
        state.withLock { state in
            if state.isUnreadable { return .unreadable }
            guard let ids = state.ids[takenAs], let first = ids.first else { return .notAll }
            let areOwn = ids.enumerated().allSatisfy { $1.rawValue == first.rawValue + Int64($0) }
            return .all(first: first, jobs: ids.count, areOwn: areOwn)
        }
    }

    private func results(of file: FileID, _ page: FileResults.Page) -> FileResults? {
        state.withLock { state in
            guard let name = state.names[file],
                let (takenAs, ids) = state.ids.first(where: {
                    $0.value.first?.rawValue == file.rawValue
                })
            else { return nil }
            let start = ids.firstIndex { $0 == page.from } ?? 0
            let part = ids[start...].prefix(Self.partJobs)
            let jobs = part.map { id in
                let end = JobEnd(
                    id: id,
                    state: .succeeded,
                    attempt: Attempt(rawValue: state.attempt),
                    failure: nil
                )
                let bytes = Array("a\n\(id.rawValue)\n".utf8)
                let head = ResultHead(format: .csv, totalBytes: Int64(bytes.count), rows: 1)
                return FileResults.Job(JobResult(end: end, head: head, bytes: bytes))
            }
            var results = FileResults(name: name, takenAs: takenAs, jobs: jobs)
            if part.endIndex < ids.count { results.next = ids[part.endIndex] }
            results.isPart = page.from != nil || results.next != nil
            return results
        }
    }
}

extension Ledger.State {
    fileprivate mutating func commit(_ file: TakenFile) -> [IntakeNotice] {
        if isDeaf { return [] }
        let takenAs = file.row.takenAs
        filings[takenAs, default: 0] += 1
        if !refusals.isEmpty {
            return [.refused(takenAs: takenAs, refusals.removeFirst())]
        }
        if let known = ids[takenAs] { return [.accepted(takenAs: takenAs, ids: known)] }
        let first = Int64(ids.values.joined().count) + 1
        let fresh = file.jobs.indices.map { JobID(rawValue: first + Int64($0)) }
        ids[takenAs] = fresh
        let id = FileID(rawValue: first)
        names[id] = file.row.name
        bodies[file.row.name, default: []] += file.jobs.map(\.spec.body)
        return [.accepted(takenAs: takenAs, ids: fresh), .ended(id)]
    }

    fileprivate mutating func commit(_ piece: FilePiece) -> [IntakeNotice] {
        if isDeaf { return [] }
        let takenAs = piece.row.takenAs
        filings[takenAs, default: 0] += 1
        if !refusals.isEmpty {
            return [.refused(takenAs: takenAs, refusals.removeFirst())]
        }
        let known = ids[takenAs]
        let first = known?.first?.rawValue ?? Int64(1_000 * (names.count + stages.count + 1))
        var stage = stages[takenAs] ?? Ledger.Stage(row: piece.row, first: first)
        if known == nil, piece.place <= stage.bodies.count {
            stage.bodies += piece.jobs.dropFirst(stage.bodies.count - piece.place).map(\.spec.body)
            stages[takenAs] = stage
        }
        let places = Int64(piece.place)..<Int64(piece.end)
        let told = places.map { JobID(rawValue: stage.first + $0) }
        guard piece.isLast else { return [.staged(takenAs: takenAs, ids: told, isAll: false)] }
        let file = FileID(rawValue: stage.first)
        if known == nil {
            ids[takenAs] = (0..<Int64(piece.total)).map { JobID(rawValue: stage.first + $0) }
            names[file] = piece.row.name
            bodies[piece.row.name, default: []] += stage.bodies
            stages[takenAs] = nil
        }
        return [.staged(takenAs: takenAs, ids: told, isAll: true), .ended(file)]
    }
}
