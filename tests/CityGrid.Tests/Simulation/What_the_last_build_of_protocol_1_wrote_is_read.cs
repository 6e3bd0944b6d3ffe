using System.Globalization;
using CityGrid.Cli.Simulation;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Approvals;
using CityGrid.Tests.Journal;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// INV-27: what the last build that spoke protocol 1 alone (<see cref="Machine.OldCommit"/>) sent and wrote in a small tree of its own: every frame between a city and its province, in the order in which each
/// was heard, then every event of both journals, and an image of a fold that has its version still. It was recorded from that build and is never written again.
/// </summary>
public sealed class What_the_last_build_of_protocol_1_wrote_is_read
{
    private static readonly SimulatedTree Tree = new(seed: 41, provinces: 1, citiesEach: 2);
    private static readonly NodeId City = NodeId.Parse("city-1-1");
    private static readonly NodeId Province = NodeId.Parse("province-1");

    private static readonly IReadOnlyList<string[]> Lines = GoldenLines.Of("Simulation", "protocol-1");

    [Test]
    public void Its_frames_are_known_to_their_last_byte()
    {
        var frames = Lines.Where(line => line[0].StartsWith("frame", StringComparison.Ordinal)).ToList();
        Assert.That(frames.Select(KindOf).Distinct(), Is.EquivalentTo(new[] { "up Hello", "up Cells", "up Escalations", "down Welcome", "down Receipt", "down Refusal" }));
        foreach (var line in frames)
        {
            var bytes = Convert.FromHexString(line[1]);
            MessageParser parser = KindOf(line).StartsWith("up", StringComparison.Ordinal) ? ConnectRequest.Parser : ConnectResponse.Parser;
            Assert.That(parser.WithDiscardUnknownFields(true).ParseFrom(bytes).ToByteArray(), Is.EqualTo(bytes), line[0]);
        }
    }

    [Test]
    public void A_province_of_today_answers_each_frame_of_its_city_as_the_one_of_then_did()
    {
        var province = Place(Province);
        var peer = new Peer(City, [Tree[City].Place.Division]);
        ConnectRequest? asked = null;
        foreach (var line in Lines.Where(line => line[0].StartsWith("frame", StringComparison.Ordinal)))
        {
            if (KindOf(line).StartsWith("up", StringComparison.Ordinal))
            {
                asked = ConnectRequest.Parser.ParseFrom(Convert.FromHexString(line[1]));
                continue;
            }

            if (asked!.FrameCase == ConnectRequest.FrameOneofCase.Hello)
            {
                province.HangUp(City);
            }

            var then = ConnectResponse.Parser.ParseFrom(Convert.FromHexString(line[1]));
            province.NextNonce = then.Welcome?.ChildEpochNonce ?? province.NextNonce;
            Assert.That(Essence(province.Take(peer, asked)), Is.EqualTo(Essence(then)), line[0]);
        }

        Assert.That((province.Reception.DigestAgrees(City), province.Escalations.Count), Is.EqualTo(((bool?)true, 2)));
    }

    [Test]
    public void Its_journals_make_the_same_figures_at_both_ends()
    {
        var province = Place(Province);
        foreach (var journalEvent in Events(Province))
        {
            province.Apply(new EventDraft(journalEvent.Kind, journalEvent.Schema, journalEvent.Payload));
        }

        var cells = new CellFold();
        var uplink = new UplinkFold((epoch, lsn) => cells.Restamp(City, new Revision(epoch.Number, lsn.Value), lsn));
        var escalations = new EscalationFold(City);
        var events = Events(City);
        var book = new CaseBook(cells, City, Tree[City].Place.Division, () => uplink.RevisionEpoch, lsn => new JournalRecord(Drafts.Noon, "desk", Hash256.Zero, Hash256.Zero, [events[(int)lsn.Value - 1]]));
        foreach (var journalEvent in events)
        {
            foreach (var fold in new IFold[] { uplink, escalations, book }.Where(fold => fold.Takes(journalEvent.Kind)))
            {
                fold.Apply(journalEvent);
            }
        }

        Assert.Multiple(() =>
        {
            Assert.That((book.Open.Count, escalations.Count, uplink.Territorial.Node), Is.EqualTo((6, 3, (NodeId?)Province)));
            Assert.That(province.Reception.DigestAgrees(City), Is.True);
            Assert.That(province.Cells.DigestOf(City, Grain.Detail, Grain.National), Is.EqualTo(cells.DigestOf(City, Grain.Detail, Grain.National)).And.Not.EqualTo(new CellFold().DigestOf(City, Grain.Detail, Grain.National)));
            Assert.That(
                province.Escalations.ChangedSince(Lsn.Zero, province.Escalations.NewestChange).Select(record => escalations.StandingOf(record.Id, record.Content.Version, record.Bytes.Span)),
                Is.EqualTo(new[] { EscalationStanding.Known, EscalationStanding.Known }), "the third is grave enough for the city alone");
        });
    }

    [Test]
    public void Its_image_of_escalations_is_taken_as_it_is()
    {
        var line = Lines.Single(line => line[0].StartsWith("image", StringComparison.Ordinal));
        var fold = new EscalationFold(Province);
        Assert.That(line[0], Is.EqualTo($"image {Province} {fold.Name} {fold.Version}"));
        fold.Load(new MemoryStream(Convert.FromHexString(line[1])));
        Assert.That((fold.Count, Convert.ToHexStringLower(FullNode.ImageOf(fold))), Is.EqualTo((2, line[1])));
    }

    private static Parent Place(NodeId node) => new(node.ToString(), Tree[node].Place.Division.ToString(), Tree.Register);

    private static string KindOf(string[] line) => string.Join(' ', line[0].Split(' ')[2..]);

    private static List<JournalEvent> Events(NodeId node) =>
    [
        .. Lines.Where(line => line[0].StartsWith($"event {node} ", StringComparison.Ordinal)).Select((line, i) => new JournalEvent(
            new Lsn(i + 1), new Lsn(i + 1), new Lsn(i + 1), Drafts.Noon, "desk", ushort.Parse(line[1], CultureInfo.InvariantCulture), ushort.Parse(line[2], CultureInfo.InvariantCulture), Convert.FromHexString(line[3]))),
    ];

    /// <summary>What a child acts on.</summary>
    private static string Essence(ConnectResponse response) => response.FrameCase switch
    {
        ConnectResponse.FrameOneofCase.Welcome => $"{response.Number} protocol {response.Welcome.Protocol}, epoch {response.Welcome.ChildEpoch} {response.Welcome.ChildEpochNonce:x}, grains {response.Welcome.Grains}",
        ConnectResponse.FrameOneofCase.Receipt => $"{response.Number} {response.Receipt.Lane} {response.Receipt.Position}, {response.Receipt.Accepted} {response.Receipt.Unchanged} {response.Receipt.Parked} {response.Receipt.Refused}",
        _ => $"{response.Number} {response.FrameCase} {response.Refusal?.Code} {response.Refusal?.Position}",
    };
}
