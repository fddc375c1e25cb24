/// Which version of the program, and of its protocol, clients talk to.
public enum Program {
    public static let version = "0.1.0"
    /// Of the client protocol as PROTOCOL.md describes it.
    public static let protocolVersion = 1
}
