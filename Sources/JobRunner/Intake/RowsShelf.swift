/// Hands out the CSVs that the jobs of one file name; each is read once.
final class RowsShelf {
    /// Why one could not be read for now: then nothing is known of the file.
    private(set) var failure: SpoolError?
    private var kept: [String: [UInt8]] = [:]
    private let read: (String) throws(SpoolError) -> Folder.Content

    init(_ read: @escaping (String) throws(SpoolError) -> Folder.Content) {
        self.read = read
    }

    func rows(_ name: String, atMost most: Int) throws(RowsProblem) -> [UInt8] {
        if let bytes = kept[name] { return bytes }
        let content: Folder.Content
        do { content = try read(name) } catch {
            failure = error
            throw RowsProblem(error.summary)
        }
        switch content {
        case .missing: throw .missing(name)
        case .notRegular: throw .notRegular(name)
        case .tooLarge: throw .tooLarge(name, most: most)
        case .bytes(let bytes):
            kept[name] = bytes
            return bytes
        }
    }
}
