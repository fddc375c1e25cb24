public import JobCore
public import ZeroMQ

/// What clients need of CURVE: `PublicKey`, `SecretKey` and `SocketOptions.ClientKeys` come from
/// ZeroMQ, and their problems are explained like all others.
extension KeyFileProblem: Explained {}
