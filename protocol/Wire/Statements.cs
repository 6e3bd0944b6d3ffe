using System.Buffers;
using System.Text;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Protocol.Wire;

/// <summary>
/// What is signed, byte for byte (clauses A1, A2, A4 and A7): each field with its length in front, behind a name of its own for each kind of statement, so
/// that no two statements have the same bytes.
/// </summary>
public static class Statements
{
    /// <summary>The hash of a part (A1): SHA-256 of its message with all fields in order of number, which is how it is written, sent and kept.</summary>
    public static Hash256 HashOf(IMessage part) => Hash256.Of(part.ToByteArray());

    /// <summary>The bytes that a child signs (A2): everything but the signature.</summary>
    public static byte[] BytesOf(SignedHead head)
    {
        var statement = new Writer("citygrid/head/1");
        statement.Text(head.Node);
        statement.Text(head.Receiver);
        statement.Bytes(head.Incarnation);
        statement.Number(head.Epoch);
        statement.Number(head.EpochNonce);
        statement.Number((long)head.Lane);
        statement.Number(head.Lsn);
        statement.Bytes(head.ChainHash);
        statement.Bytes(head.PartHash);
        statement.Number(head.SignedAt);
        statement.Number((long)head.Algorithm);
        statement.Bytes(head.Signer);
        return statement.ToArray();
    }

    /// <summary>The bytes that a parent signs (A4): everything but the signature.</summary>
    public static byte[] BytesOf(Countersignature said)
    {
        var statement = new Writer("citygrid/receipt/1");
        statement.Text(said.Node);
        statement.Bytes(said.Incarnation);
        statement.Number(said.Lsn);
        statement.Bytes(said.ChainHash);
        statement.Text(said.Child);
        statement.Bytes(said.ChildIncarnation);
        statement.Number(said.ChildEpoch);
        statement.Number(said.ChildEpochNonce);
        statement.Number((long)said.Lane);
        statement.Number(said.ChildLsn);
        statement.Bytes(said.ChildChainHash);
        statement.Bytes(said.PartHash);
        statement.Number(said.SignedAt);
        statement.Number((long)said.Algorithm);
        statement.Bytes(said.Signer);
        return statement.ToArray();
    }

    /// <summary>The bytes that an issuer signs (A7).</summary>
    /// <param name="kind">What kind of thing the content is, so that nothing signed as one passes for another.</param>
    /// <param name="issuer">The node that made it.</param>
    /// <param name="content">The bytes that the issuer made, and that relays pass on untouched.</param>
    /// <param name="said">When and with which key; its signature is not read, and its certificates only by the signer's fingerprint.</param>
    public static byte[] BytesOf(string kind, string issuer, ByteString content, IssuerSignature said)
    {
        var statement = new Writer("citygrid/issued/1");
        statement.Text(kind);
        statement.Text(issuer);
        statement.Bytes(content);
        statement.Number(said.SignedAt);
        statement.Number((long)said.Algorithm);
        statement.Bytes(said.Signer);
        return statement.ToArray();
    }

    private sealed class Writer
    {
        private readonly ArrayBufferWriter<byte> _target = new(320);

        public Writer(string kind) => Text(kind);

        public void Text(string text) => Bytes(Encoding.UTF8.GetBytes(text));

        public void Bytes(ByteString bytes) => Bytes(bytes.Span);

        public void Number(long number) => Number(Varint.ZigZag(number));

        public void Number(ulong number) => _target.Advance(Varint.Write(_target.GetSpan(Varint.BytesMax), number));

        public byte[] ToArray() => _target.WrittenSpan.ToArray();

        private void Bytes(ReadOnlySpan<byte> bytes)
        {
            Number((ulong)bytes.Length);
            _target.Write(bytes);
        }
    }
}
