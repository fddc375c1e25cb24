internal import JobCore
internal import JobStorage
internal import JobWire

/// The results of a file with very many jobs, written part by part: only one part is in memory.
final class ResultsDraft {
    let file: FileID
    /// As the file was called in `taken/`.
    let takenAs: String
    private let name: String
    private let draft: Folder.Draft
    private var writer = JSONWriter(pretty: true)
    /// The part that comes next; nil when all jobs are written.
    private(set) var next: FileResults.Page? = FileResults.Page()

    /// `name` is what the results are called, less their extension.
    init(
        _ file: FileID,
        _ first: FileResults,
        as name: String,
        in folder: Folder
    ) throws(SpoolError) {
        self.file = file
        takenAs = first.takenAs
        self.name = name
        draft = try folder.draft("results-\(file.rawValue)")
        first.begin(&writer)
        try add(first)
    }

    func add(_ part: FileResults) throws(SpoolError) {
        part.write(as: name, to: &writer)
        try draft.add(writer.drain())
        let room = max(0, (next?.room ?? 0) - part.bytes)
        next = part.next.map { FileResults.Page(from: $0, room: room) }
    }

    /// They are sure after `syncResults`.
    func finish() throws(SpoolError) {
        FileResults.end(&writer)
        try draft.add(writer.drain() + [UInt8(ascii: "\n")])
        try draft.finish(as: name + ".json")
    }

    func discard() { draft.discard() }
}
