/// What the program calls itself to clients.
public enum Program {
    public static let name = "millrace"
    public static let version = "0.1.0"
    /// Of the client protocol as PROTOCOL.md describes it.
    public static let protocolVersion = 1
}
