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
        var log: [String] = []
        /// Answers that wait to be heard.
        var notices: [IntakeNotice] = []
        /// What becomes of the next files instead of a commit.
        var refusals: [Refusal] = []
        /// The broker dies before it commits anything.
        var isDeaf = false
    }

    let state = Mutex(State())
    private let changed = DispatchSemaphore(value: 0)
    private let answered: Mutex<(@Sendable (IntakeNotice) -> Void)?> = Mutex(nil)

    func settings(_ path: String, run: Int64 = 1) -> IntakeSettings {
        IntakeSettings(
            path: path,
            run: RunID(rawValue: run),
            parse: parseLoosely,
            say: { [self] in hear($0) },
            results: { [self] in results(of: $0) },
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
        }
    }

    private func hear(_ event: Event) {
        let notices = state.withLock { state -> [IntakeNotice] in
            switch event {
            case .filed(let file): return state.commit(file)
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

    private func results(of file: FileID) -> FileResults? {
        state.withLock { state in
            guard let name = state.names[file],
                let (takenAs, ids) = state.ids.first(where: {
                    $0.value.first?.rawValue == file.rawValue
                })
            else { return nil }
            let jobs = ids.map { id in
                let end = JobEnd(
                    id: id,
                    state: .succeeded,
                    attempt: Attempt(rawValue: 1),
                    failure: nil
                )
                let bytes = Array("a\n\(id.rawValue)\n".utf8)
                let head = ResultHead(format: .csv, totalBytes: Int64(bytes.count), rows: 1)
                return FileResults.Job(JobResult(end: end, head: head, bytes: bytes))
            }
            return FileResults(name: name, takenAs: takenAs, jobs: jobs)
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
}
