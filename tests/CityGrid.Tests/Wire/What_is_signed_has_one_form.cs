using System.Globalization;
using CityGrid.Hub.Bundles;
using CityGrid.Hub.Children;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Wire;

/// <summary>Clauses A1, A2, A4, A7, B2 and E3: the bytes that are signed or hashed, and that nothing can be moved from one field to another.</summary>
public sealed class What_is_signed_has_one_form
{
    private static readonly SignedHead Head = new()
    {
        Node = "suzhou",
        Receiver = "jiangsu",
        Incarnation = Bytes(16, 1),
        Epoch = 2,
        EpochNonce = 0xFEDCBA9876543210,
        Lane = Lane.Cells,
        Lsn = 300,
        ChainHash = Bytes(32, 2),
        PartHash = Bytes(32, 3),
        SignedAt = 1_795_500_000_000,
        Algorithm = SignatureAlgorithm.EcdsaP256Sha256,
        Signer = Bytes(32, 4),
    };

    private static readonly Countersignature Said = new()
    {
        Node = "jiangsu",
        Incarnation = Bytes(16, 5),
        Lsn = 7001,
        ChainHash = Bytes(32, 6),
        Child = "suzhou",
        ChildIncarnation = Bytes(16, 1),
        ChildEpoch = 2,
        ChildEpochNonce = 0xFEDCBA9876543210,
        Lane = Lane.Cells,
        ChildLsn = 300,
        ChildChainHash = Bytes(32, 2),
        PartHash = Bytes(32, 3),
        SignedAt = 1_795_500_000_250,
        Algorithm = SignatureAlgorithm.EcdsaP256Sha256,
        Signer = Bytes(32, 7),
    };

    private static readonly IssuerSignature Word = new()
    {
        Algorithm = (int)SignatureAlgorithm.EcdsaP256Sha256,
        Signer = Bytes(32, 8),
        SignedAt = 1_795_500_000_500,
    };

    [Test]
    public void The_vectors_of_the_contract_are_kept()
    {
        var vectors = Contract.TableAfter("#### Vectors of A2, A4 and A7: what is signed").ToDictionary(row => row[0], row => row[1].Replace(" ", string.Empty, StringComparison.Ordinal));
        Assert.Multiple(() =>
        {
            Assert.That(Convert.ToHexStringLower(Statements.BytesOf(Head)), Is.EqualTo(vectors["a head"]));
            Assert.That(Convert.ToHexStringLower(Statements.BytesOf(Said)), Is.EqualTo(vectors["a countersignature"]));
            Assert.That(Convert.ToHexStringLower(Statements.BytesOf("order", "jiangsu", Bytes(8, 9), Word)), Is.EqualTo(vectors["an issuer's word for 8 bytes"]));
            Assert.That(Statements.HashOf(new CellsPart { CutTo = 300, CutChainHash = Bytes(32, 2), Part = 1, Parts = 1 }).ToString(), Is.EqualTo(vectors["the hash of an empty part"]));
        });
    }

    [Test]
    public void The_vectors_of_what_is_hashed_are_kept()
    {
        var vectors = Contract.TableAfter("#### Vectors of A1, B2 and E3: what is hashed").ToDictionary(row => row[0], row => row[1]);
        var part = new EscalationsPart { From = 3, To = 5, ChainHash = Bytes(32, 2), FromChainHash = Bytes(32, 1), Lane = Lane.Alarms };
        var bundle = new Bundle
        {
            From = "suzhou",
            To = "jiangsu",
            MadeAt = 1_795_500_000_000,
            Certificates = { Bytes(32, 1), Bytes(32, 2) },
            EphemeralKey = Bytes(32, 3),
            Nonce = Bytes(16, 4),
            Sealed = Bytes(32, 5),
        };
        Assert.Multiple(() =>
        {
            Assert.That(Statements.HashOf(part).ToString(), Is.EqualTo(vectors["an `EscalationsPart` on the lane of alarms with nothing in it"]));
            Assert.That(Convert.ToHexStringLower(BundleFile.Signed(bundle)), Is.EqualTo(vectors["a bundle, as it is signed"]));
            Assert.That(EnrolmentCode.HashOf(Bytes(20, 5).Span).ToString(), Is.EqualTo(vectors["the secret of a code, as the parent keeps it"]));
        });
    }

    [Test]
    public void Each_field_changes_what_is_signed_but_the_signature()
    {
        Every(Head, head => Statements.BytesOf(head));
        Every(Said, said => Statements.BytesOf(said));
        Every(Word, word => Statements.BytesOf("order", "jiangsu", Bytes(8, 9), word));
        Assert.That(
            new[] { Of("order", "jiangsu", 8), Of("package", "jiangsu", 8), Of("order", "suzhou", 8), Of("order", "jiangsu", 7) }.Select(Convert.ToHexString), Is.Unique);

        static byte[] Of(string kind, string issuer, int length) => Statements.BytesOf(kind, issuer, Bytes(length, 9), Word);
    }

    [Test]
    public void What_stands_at_the_end_of_a_field_cannot_be_the_beginning_of_the_next()
    {
        var (one, other) = (Head.Clone(), Head.Clone());
        (one.Node, one.Receiver) = ("a", "bc");
        (other.Node, other.Receiver) = ("ab", "c");
        Assert.That(Statements.BytesOf(one), Is.Not.EqualTo(Statements.BytesOf(other)));
    }

    private static void Every<T>(T message, Func<T, byte[]> bytesOf)
        where T : IMessage<T>
    {
        var before = bytesOf(message);
        // The certificates are signed by the fingerprint of the first; which authorities are shown with it changes nothing that is said.
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder().Where(field => field.Name != "certificates"))
        {
            var changed = message.Clone();
            field.Accessor.SetValue(changed, field.Accessor.GetValue(changed) switch
            {
                string text => text + "x",
                ByteString bytes => ByteString.CopyFrom([.. bytes, 0]),
                int number => number + 1,
                long number => number + 1,
                ulong number => number + 1,
                Lane => Lane.Alarms,
                SignatureAlgorithm => SignatureAlgorithm.Unspecified,
                var other => throw new NotSupportedException(string.Create(CultureInfo.InvariantCulture, $"{field.Name}: {other}")),
            });
            Assert.That(bytesOf(changed), field.Name == "signature" ? Is.EqualTo(before) : Is.Not.EqualTo(before), field.FullName);
        }
    }

    private static ByteString Bytes(int count, byte first) => ByteString.CopyFrom([.. Enumerable.Range(0, count).Select(i => (byte)((first * 16) + i))]);
}
