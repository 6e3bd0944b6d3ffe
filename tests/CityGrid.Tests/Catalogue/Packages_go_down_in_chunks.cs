using CityGrid.Hub.Catalogue;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Catalogue;

/// <summary>Clause K3: what a child lacks goes down one chunk at a time; what was lost on the way goes again; who lacks nothing hears nothing.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class Packages_go_down_in_chunks
{
    private readonly PackageFold _above = new();
    private readonly PackageFold _below = new();
    private readonly PackageAssembly _assembly = new();
    private Instant _now = Packages.Now;
    private PackageFeedState _state = PackageFeed.Start(Said([]));
    private int _chunks;

    public Packages_go_down_in_chunks()
    {
        var long_ = string.Concat(Enumerable.Range(10000, 1000).Select(code => $"{code}\t名称{code}\tname of {code}\t2h\n"));
        var previous = Hash256.Zero;
        for (var number = 1; number <= 3; number++)
        {
            var package = Packages.Of(number, previous, p => p.Rows = Packages.Rows + long_);
            previous = Packages.NameOf(package).Hash;
            Keep(_above, package);
        }
    }

    [Test]
    public void All_that_is_lacking_comes_in_order_and_then_nothing_more()
    {
        Converse(new PackageFeedInput.Nudged(), _ => Fate.Arrives);
        Assert.That(_below.Heads, Is.EqualTo(_above.Heads));
        Assert.That(_chunks, Is.GreaterThan(3 * 2), "Each has several chunks.");
        var before = _chunks;
        Converse(new PackageFeedInput.Nudged(), _ => Fate.Arrives);
        Assert.That(_chunks, Is.EqualTo(before));
    }

    [Test]
    public void Who_has_all_hears_nothing()
    {
        _state = PackageFeed.Start(Said(_above.Heads));
        Converse(new PackageFeedInput.Nudged(), _ => Fate.Arrives);
        Assert.That(_chunks, Is.Zero);
    }

    [Test]
    public void Who_has_more_hears_nothing()
    {
        _state = PackageFeed.Start(new PackagesHeard([new PackageName(NodeId.Parse("ministry"), 9, new Hash256(1, 1)), new PackageName(NodeId.Parse("zz"), 1, new Hash256(1, 1))], []));
        Converse(new PackageFeedInput.Nudged(), _ => Fate.Arrives);
        Assert.That(_chunks, Is.Zero);
    }

    [Test]
    public void Each_chunk_fits_half_a_second_of_a_slow_line_and_one_is_under_way()
    {
        var (state, _, read) = PackageFeed.Step(_state, new PackageFeedInput.Nudged(), _now);
        Assert.That(read, Is.True);
        (state, var chunk, _) = PackageFeed.Step(state, new PackageFeedInput.ParcelReady(Next(state)), _now);
        Assert.That(chunk!.Content.Length, Is.EqualTo(PackageFeed.ChunkBytes));
        Assert.That(PackageFeed.Step(state, new PackageFeedInput.Nudged(), _now).Send, Is.Null);
        Assert.That(PackageFeed.Step(state, new PackageFeedInput.Heard(), _now + PackageFeed.AnswerWait - Duration.FromSeconds(1)).Send, Is.Null);
        Assert.That(PackageFeed.Step(state, new PackageFeedInput.Heard(), _now + PackageFeed.AnswerWait).Send!.Offset, Is.Zero);
        Assert.That(PackageFeed.Step(state, new PackageFeedInput.Answered(new PackageChunkReceipt { Number = 7, Outcome = PackageOutcome.Taken }), _now).State, Is.EqualTo(state), "An answer to another chunk is none.");
    }

    [Test]
    public void What_is_lost_on_either_way_goes_again([Range(1, 40)] int seed)
    {
        var random = new Hub.Seams.SeededEntropy((ulong)seed);
        for (var round = 0; round < 400 && !_below.Heads.SequenceEqual(_above.Heads); round++)
        {
            Converse(round == 0 ? new PackageFeedInput.Nudged() : new PackageFeedInput.Heard(), _ => (Fate)random.Below(4));
            _now += Duration.FromSeconds(31);
            if (random.OneIn(20))
            {
                // A new connection: what was not whole begins anew, what was taken is not sent again.
                _assembly.Clear();
                _state = PackageFeed.Start(Said(_below.Heads));
                Converse(new PackageFeedInput.Nudged(), _ => (Fate)random.Below(4));
            }
        }

        Assert.That(_below.Heads, Is.EqualTo(_above.Heads));
        Assert.That(_below.Packages.Count(), Is.EqualTo(3));
    }

    [Test]
    public void A_child_with_another_content_under_a_number_is_sent_that_number_once_and_says_that_it_is_a_fork()
    {
        var other = Packages.Of(1, Hash256.Zero, p => p.Title = "another");
        Keep(_below, other);
        _state = PackageFeed.Start(Said(_below.Heads));
        Converse(new PackageFeedInput.Nudged(), _ => Fate.Arrives);
        var before = _chunks;
        Converse(new PackageFeedInput.Nudged(), _ => Fate.Arrives);
        Assert.That(_chunks, Is.EqualTo(before));
        Assert.That(_below.Packages.Select(p => p.Refusal?.Code), Is.EqualTo(new[] { null, PackageJudge.Fork, PackageJudge.Fork }));
    }

    [Test]
    public void A_child_that_asks_for_the_same_bytes_for_ever_is_left_alone()
    {
        var (state, send) = (PackageFeed.Step(_state, new PackageFeedInput.ParcelReady(Next(_state)), _now).State, 0);
        for (var i = 0; i < 1000 && state.UnderWay is not null; i++)
        {
            (state, var chunk, _) = PackageFeed.Step(state, new PackageFeedInput.Answered(new PackageChunkReceipt { Number = state.Number, Outcome = PackageOutcome.More }), _now);
            send += chunk is null ? 0 : 1;
        }

        Assert.That((state.UnderWay, send), Is.EqualTo(((PackageParcel?)null, 8)));
        Assert.That(Next(state)!.Name.Number, Is.EqualTo(2), "Not on this connection.");
    }

    [Test]
    public void A_child_that_lacks_ever_something_else_is_not_sent_for_ever()
    {
        var (state, sent) = (_state, 0);
        for (var i = 1; i <= 1000; i++)
        {
            (state, var chunk, _) = PackageFeed.Step(state, new PackageFeedInput.ParcelReady(Next(state)), _now);
            sent += chunk is null ? 0 : 1;
            var receipt = new PackageChunkReceipt { Number = state.Number, Outcome = PackageOutcome.Gap, Heads = { new PackageName(NodeId.Parse("made-up"), i, new Hash256(1, 1)).ToHead() } };
            state = PackageFeed.Step(state, new PackageFeedInput.Answered(receipt), _now).State;
        }

        Assert.That(sent, Is.EqualTo(3 * 2), "Each of the three once, and once more.");
    }

    [TestCase(0, 0)]
    [TestCase(-1, 10)]
    [TestCase(0, PackageAssembly.EnvelopeBytesMax + 1)]
    [TestCase(5, 3)]
    [TestCase(int.MaxValue, int.MaxValue)]
    public void A_chunk_out_of_bounds_makes_an_envelope_of_nothing_and_keeps_nothing(int offset, int total)
    {
        var chunk = new PackageChunk { Offset = offset, Total = total, Content = Google.Protobuf.ByteString.CopyFrom(new byte[20]) };
        Assert.That(_assembly.Add(default, chunk), Is.EqualTo(new PackageEnvelope()));
        Assert.That(_assembly.Have, Is.Zero);
    }

    [Test]
    public void What_a_child_refused_on_an_earlier_connection_is_not_sent_again_and_its_reason_is_in_the_hello()
    {
        var hello = new Protocol.V1.Hello { Packages = { _below.Heads }, RefusedPackages = { new RefusedPackage(Next(_state)!.Name, new Refusal("CODE", new string('x', 1000))).ToMessage() } };
        var heard = PackagesHeard.Of(hello);
        Assert.That(heard.Refused.Select(refused => (refused.Name, refused.Refusal.Code, refused.Refusal.Message.Length)), Is.EqualTo(new[] { (Next(_state)!.Name, "CODE", RefusedPackage.TextMax) }));
        Assert.That(Next(PackageFeed.Start(heard))!.Name.Number, Is.EqualTo(2));
    }

    private enum Fate
    {
        Arrives,
        ChunkLost,
        AnswerLost,
        Twice,
    }

    /// <summary>Both ends until nothing moves any more.</summary>
    private void Converse(PackageFeedInput input, Func<PackageChunk, Fate> fate)
    {
        var inputs = new Queue<PackageFeedInput>([input]);
        while (inputs.TryDequeue(out var next))
        {
            (_state, var chunk, var read) = PackageFeed.Step(_state, next, _now);
            if (read)
            {
                inputs.Enqueue(new PackageFeedInput.ParcelReady(Next(_state)));
            }

            if (chunk is null)
            {
                continue;
            }

            _chunks++;
            var what = fate(chunk);
            for (var times = what == Fate.Twice ? 2 : what == Fate.ChunkLost ? 0 : 1; times > 0; times--)
            {
                var receipt = Answer(chunk);
                if (what != Fate.AnswerLost)
                {
                    inputs.Enqueue(new PackageFeedInput.Answered(receipt));
                }
            }
        }
    }

    private PackageParcel? Next(PackageFeedState state) =>
        new PackageReader(_above) is var reader && reader.Lacking(state.Has, state.Told, state.Refused) is { } lacking ? reader.ParcelOf(lacking) : null;

    /// <summary>The child, as the uplink does it.</summary>
    private PackageChunkReceipt Answer(PackageChunk chunk)
    {
        Assert.That(PackageName.TryRead(chunk.Package, out var name), Is.True);
        if (_below.Find(name) is null)
        {
            if (_assembly.Add(name, chunk) is not { } envelope)
            {
                return new PackageChunkReceipt { Number = chunk.Number, Outcome = PackageOutcome.More, Have = _assembly.Have };
            }

            var verdict = PackageJudge.Judge(Packages.Wuhan, _below, name, envelope, _now);
            if (verdict.Outcome == PackageOutcome.Gap)
            {
                return new PackageChunkReceipt { Number = chunk.Number, Outcome = PackageOutcome.Gap, Heads = { _below.Heads } };
            }

            _below.Apply(Packages.Event(1, PackageFold.ReceivedEvent(name, envelope, NodeId.Parse("hubei"), NodeId.Parse("wuhan"), verdict.Refusal)));
        }

        var known = _below.Find(name)!;
        return new PackageChunkReceipt { Number = chunk.Number, Outcome = known.IsTaken ? PackageOutcome.Taken : PackageOutcome.Refused, Code = _below.Find(name)!.Refusal?.Code ?? string.Empty, Heads = { _below.Heads } };
    }

    private static PackagesHeard Said(IReadOnlyList<PackageHead> heads) => new(PackageDesk.HeadsOf(heads), []);

    private static void Keep(PackageFold fold, CataloguePackage package) =>
        fold.Apply(Packages.Event(1, PackageFold.ReceivedEvent(Packages.NameOf(package), Packages.Enveloped(package), NodeId.Parse("ministry"), NodeId.Parse("hubei"), null)));
}
