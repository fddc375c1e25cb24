import JobCore
import Testing

@testable import JobStorage

/// A file of several pieces in a store, of as many jobs as it has ids.
struct LargeFile {
    static let row = TakenFile.Row(name: "a.jsonl", takenAs: "1-1-a.jsonl", bytes: 9, digest: "0")

    let row: TakenFile.Row
    let ids: ClosedRange<Int64>
    private let store: StoreUnderTest

    init(_ row: TakenFile.Row = Self.row, of total: Int, in store: StoreUnderTest) {
        self.init(row, ids: store.ids(total), in: store)
    }

    init(_ row: TakenFile.Row, ids: ClosedRange<Int64>, in store: StoreUnderTest) {
        self.row = row
        self.ids = ids
        self.store = store
    }

    func piece(_ jobs: [Submission], at place: Int) -> Change {
        let piece = FilePiece(row: row, total: ids.count, place: place, jobs: jobs)
        return .stage(Staging(piece: piece, ids: ids, ticket: store.ticket()))
    }

    var file: FileID { FileID(rawValue: ids.lowerBound) }
    var all: [JobID] { ids.map(JobID.init) }
}

extension StoreUnderTest {
    /// That a store in a file is whole, as `millrace doctor` looks at it.
    func checkUp() throws {
        guard let path = directory?.store else { return }
        let ills = try StoreCheckup(path: path).findings(whole: true)
        #expect(ills.filter { !$0.faults.isEmpty } == [])
    }
}

func makeJobs(_ count: Int) -> [Submission] { (0..<count).map { _ in makeJob() } }

/// The code of the refusal that comes first.
func refusal(_ facts: [Fact]) -> String? {
    guard case .refused(_, let refusal)? = facts.first else { return nil }
    return refusal.code
}
