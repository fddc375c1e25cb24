/// Where a byte stands in a text, as editors count it.
///
/// - Returns: The line, from 1; and the column, from 1, in Unicode scalars. Lines end with a line
///   feed.
func place(of offset: Int, in bytes: [UInt8]) -> (line: Int, column: Int) {
    var line = 1
    var column = 1
    for byte in bytes.prefix(offset) {
        if byte == UInt8(ascii: "\n") {
            line += 1
            column = 1
        } else if byte & 0xC0 != 0x80 {  // Not the continuation of a scalar.
            column += 1
        }
    }
    return (line, column)
}
