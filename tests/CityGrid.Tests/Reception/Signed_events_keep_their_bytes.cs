using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>INV-27: what tamper evidence, and the choice of what a parent is told of, keep in journals is read as it was written, for ever. Lines of the golden file are added, and none is ever changed.</summary>
public sealed class Signed_events_keep_their_bytes
{
    private static readonly NodeId Child = NodeId.Parse("wuhan");
    private static readonly NodeId Parent = NodeId.Parse("hubei");
    private static readonly Incarnation Life = new(7);
    private static readonly Epoch Epoch = new(3, 0xFEDC);
    private static readonly StreamMark Mark = new(new Lsn(9), Hash256.Of([1]));
    private static readonly SignedHead Head = new() { Node = "wuhan", Receiver = "hubei", Lane = Lane.Cells, Lsn = 9, Algorithm = SignatureAlgorithm.EcdsaP256Sha256, Signature = ByteString.CopyFrom(1, 2) };

    private static readonly (string Name, EventDraft Draft)[] Samples =
    [
        ("signer shown", ReceptionEvents.SignerShownEvent(Child, SignatureAlgorithm.EcdsaP256Sha256, [ByteString.CopyFrom(1, 2, 3), ByteString.CopyFrom(4)])),
        ("cells with a head", ReceptionEvents.ToEvent(new CellsTaken(Child, Life, Epoch, new CellsPart { CutTo = 9, Part = 1, Parts = 1 }, []) { Head = Head }, Parent)),
        ("escalations with a head", ReceptionEvents.ToEvent(new EscalationsTaken(Child, Life, Epoch, new EscalationsPart { To = 9 }, []) { Head = Head }, Parent)),
        ("receipt with a countersignature", UplinkFold.ReceiptKeptEvent(ParentKind.Territorial, Lane.Alarms, Life, Epoch, Mark, [], new Countersignature { Node = "hubei", Lsn = 12, Child = "wuhan", Signature = ByteString.CopyFrom(5) })),
        ("receipt without one", UplinkFold.ReceiptKeptEvent(ParentKind.Territorial, Lane.Alarms, Life, Epoch, Mark, [])),
        ("receipt of a sector's parent", UplinkFold.ReceiptKeptEvent(ParentKind.Sector, Lane.Alarms, Life, Epoch, Mark, [])),
        ("matters chosen for a sector's parent", UplinkFold.MattersChosenEvent(ParentKind.Sector, Matters.Of(["06010", "01"])!, [7])),
    ];

    private static string Page => Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Reception", "signed-events.golden.txt");

    [Test]
    public void Each_has_the_bytes_of_its_golden_line()
    {
        var lines = Samples.Select(sample => $"{sample.Name} | {sample.Draft.Kind} | {sample.Draft.Schema} | {Convert.ToHexStringLower(sample.Draft.Payload.Span)}").ToList();
        Assert.That(lines, Is.EqualTo(File.ReadAllLines(Page)));
    }

    [Test]
    public void And_is_read_as_it_was_meant()
    {
        var read = File.ReadAllLines(Page).Select(line => line.Split(" | ")).Select(cells => ReceptionEvents.Read(new JournalEvent(
            new Lsn(1), new Lsn(1), new Lsn(1), Reception.Parent.Noon, "a", ushort.Parse(cells[1], System.Globalization.CultureInfo.InvariantCulture), 1, Convert.FromHexString(cells[3])))).ToList();
        Assert.Multiple(() =>
        {
            Assert.That((read[0] as SignerChange)!.Certificates, Is.EqualTo(new[] { ByteString.CopyFrom(1, 2, 3), ByteString.CopyFrom(4) }));
            Assert.That((read[0] as SignerChange)!.Child, Is.EqualTo(Child));
            Assert.That((read[1] as CellsTaken)!.Head, Is.EqualTo(Head));
            Assert.That((read[2] as EscalationsTaken)!.Head, Is.EqualTo(Head));
        });
    }
}
