using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using NUnit.Framework;

namespace CityGrid.Tests.Catalogue;

/// <summary>Clause K4 against who lies: whatever a parent, a relay or a child makes up, what an issuer publishes is taken, and nothing grows without end.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class What_is_forged_holds_up_nothing
{
    private static readonly NodeId Ministry = NodeId.Parse("ministry");

    private static readonly PackageSignature Wrong = new(new Refusal(IssuerWord.Wrong, "words"), SignaturePolicy.Required);

    private static readonly PackageSignature Unsigned = new(new Refusal(IssuerWord.Unsigned, "words"), SignaturePolicy.Required);

    private static readonly PackageSignature Good = new(null, SignaturePolicy.Required);

    private readonly PackageFold _fold = new();
    private long _lsn;

    [TestCase(999)]
    [TestCase(1_000_000)]
    public void A_higher_number_that_was_forged_first_keeps_none_from_its_issuer(int number)
    {
        var forged = Packages.Of(1, Hash256.Zero, p => p.Number = number);
        Assert.That(Bring(forged, Wrong, begins: true).Refusal?.Code, Is.EqualTo(IssuerWord.Wrong));
        Assert.That(_fold.Heads, Is.Empty, "The parent must not believe that this is here.");
        foreach (var package in Packages.Chain(2))
        {
            Assert.That(Bring(package, Good).Outcome, Is.EqualTo(PackageOutcome.Taken));
        }

        Assert.That(_fold.Heads.Single().Number, Is.EqualTo(2));
    }

    [Test]
    public void The_next_numbers_that_were_forged_first_make_no_fork_of_the_issuers_own()
    {
        var chain = Packages.Chain(3);
        Bring(chain[0], Good);
        var forged = Packages.Of(2, Packages.NameOf(chain[0]).Hash, p => p.Title = "forged");
        Bring(forged, Wrong);
        Bring(Packages.Of(3, Packages.NameOf(forged).Hash, p => p.Title = "forged"), Wrong);
        Assert.That(chain.Skip(1).Select(package => Bring(package, Good).Outcome), Is.All.EqualTo(PackageOutcome.Taken));
    }

    [Test]
    public void What_lies_outside_of_the_hash_says_nothing_of_the_package_itself()
    {
        var package = Packages.Of(1, Hash256.Zero);
        Assert.That(Receive(package, Unsigned).Refusal?.Code, Is.EqualTo(IssuerWord.Unsigned));
        Assert.That(Receive(package, Wrong).Refusal?.Code, Is.EqualTo(IssuerWord.Wrong));
        Assert.That(Receive(package, Good, envelope => envelope.Hops.Add(new Hop { Node = "No Node" })).Refusal?.Code, Is.EqualTo(PackageJudge.Malformed));
        Assert.That(Receive(package, Good).Outcome, Is.EqualTo(PackageOutcome.Taken), "The same bytes came whole by another way.");
    }

    /// <summary>A ministry that published before it had a key; a network whose root has changed.</summary>
    [Test]
    public void One_whose_signature_is_refused_keeps_back_none_that_come_after_it()
    {
        var (chain, parent, state) = (Packages.Chain(3), new PackageFold(), PackageFeed.Start(new PackagesHeard([], [])));
        foreach (var (package, i) in chain.Select((package, i) => (package, i)))
        {
            parent.Apply(Packages.Event(i + 1, PackageFold.ReceivedEvent(Packages.NameOf(package), Packages.Enveloped(package), Ministry, Ministry, null)));
        }

        var outcomes = new List<PackageOutcome>();
        while (new PackageReader(parent).Lacking(state.Has, state.Told, state.Refused) is { } lacking)
        {
            var taken = Receive(lacking.Record.Content!, lacking.Record.Name.Number == 1 ? Unsigned : Good, envelope => envelope.Begins = lacking.Begins);
            outcomes.Add(taken.Outcome);
            var (sent, _, _) = PackageFeed.Step(state, new PackageFeedInput.ParcelReady(new PackageReader(parent).ParcelOf(lacking)), Packages.Now);
            var receipt = new PackageChunkReceipt { Number = sent.Number, Outcome = taken.Outcome, Code = taken.Refusal?.Code ?? string.Empty, Heads = { _fold.Heads } };
            state = PackageFeed.Step(sent, new PackageFeedInput.Answered(receipt), Packages.Now).State;
        }

        Assert.That(outcomes, Is.EqualTo(new[] { PackageOutcome.Refused, PackageOutcome.Taken, PackageOutcome.Taken }));
    }

    [Test]
    public void Refused_ones_are_bounded_and_only_their_names_are_kept()
    {
        for (var i = 0; i < 200; i++)
        {
            Receive(Packages.Of(1, Hash256.Zero, null, $"invented-{i}", "43"), Good);
        }

        Assert.That(_fold.Packages.Count(), Is.EqualTo(64));
        Assert.That(_fold.Heads, Is.Empty);
        Assert.That(_fold.Packages.Sum(record => record.Envelope.Package.Length), Is.Zero);
        Assert.That(new PackageReader(_fold).Lacking(new Dictionary<NodeId, PackageName>(), [], []), Is.Null, "Nothing of it is passed on.");
    }

    [Test]
    public void What_a_parent_makes_up_in_a_nodes_own_name_does_not_count_among_what_it_published()
    {
        Assert.That(Receive(Packages.Of(1, Hash256.Zero, p => p.Number = 900_000, "wuhan", "4201"), Good, envelope => envelope.Begins = true).Refusal?.Code, Is.EqualTo(PackageJudge.NotAbove));
        Assert.That(Publish(Packages.Wuhan, "k-1"), Is.EqualTo("1"));
    }

    [TestCase(long.MaxValue)]
    [TestCase(900_000)]
    public void A_child_that_makes_up_a_number_stops_nobody_from_publishing(long number)
    {
        _fold.Apply(Packages.Event(++_lsn, PackageFold.ToldEvent(NodeId.Parse("jiangxia"), [new PackageName(NodeId.Parse("wuhan"), number, new Hash256(1, 1))], [])));
        Assert.That(Publish(Packages.Wuhan, "k-1"), Is.EqualTo("1"));
        Assert.That(Publish(Packages.Wuhan, "k-2"), Is.EqualTo("2"));
    }

    [TestCase(true, "501")]
    [TestCase(false, "1")]
    public void What_a_child_says_counts_while_it_reports_here(bool isChild, string number)
    {
        _fold.Apply(Packages.Event(++_lsn, PackageFold.ToldEvent(NodeId.Parse("jiangxia"), [new PackageName(NodeId.Parse("wuhan"), 500, new Hash256(1, 1))], [])));
        Assert.That(Publish(Packages.Wuhan, "k-1", isChild), Is.EqualTo(number));
    }

    [Test]
    public void A_number_that_no_issuer_reaches_is_none()
    {
        Assert.That(PackageName.TryRead(new PackageName(Ministry, long.MaxValue, new Hash256(1, 1)).ToHead(), out _), Is.False);
        Assert.That(PackageName.TryRead(new PackageName(Ministry, 1_000_000, new Hash256(1, 1)).ToHead(), out _), Is.True);
    }

    private string Publish(CataloguePlace place, string key, bool isChild = true)
    {
        var wish = new PackageWish(key, CatalogueVersion.Parse("v"), StatDay.Of(Packages.Now, place.Zone), "title", Packages.Rows);
        var answer = Decide(Desk(place, isChild).Publish(wish, "head"));
        return answer.Refusal?.Code ?? $"{answer.Package!.Name.Number}";
    }

    private PackageVerdict Bring(CataloguePackage package, PackageSignature signature, bool begins = false) => Receive(package, signature, envelope => envelope.Begins = begins);

    /// <summary>As the desk does it, whatever was found of the signature.</summary>
    private PackageVerdict Receive(CataloguePackage package, PackageSignature signature, Action<PackageEnvelope>? twist = null)
    {
        var envelope = Packages.Enveloped(package);
        envelope.Signature = signature.Found is null ? new IssuerSignature { SignedAt = 1 } : null;
        twist?.Invoke(envelope);
        var taken = Decide(Desk(Packages.Wuhan).Receive(Packages.NameOf(package), envelope, NodeId.Parse("hubei"), signature));
        return new PackageVerdict(taken.Outcome, taken.Refusal);
    }

    private PackageDesk Desk(CataloguePlace place, bool isChild = true) =>
        new(place, _fold, new PackageNotary(null, Registers.Tempting, SignaturePolicy.Accepted, new VirtualClock(new VirtualTime(Packages.Now.ToDateTimeOffset())))) { IsChild = _ => isChild };

    /// <summary>As the sequencer does: what is decided is applied before it is answered.</summary>
    private TAnswer Decide<TAnswer>(Hub.Journal.Command<TAnswer> command)
    {
        var decision = command.Decide(Packages.Now);
        foreach (var draft in decision.Records.SelectMany(record => record.Events))
        {
            _fold.Apply(Packages.Event(++_lsn, draft));
        }

        return decision.Answer([.. decision.Records.Select(_ => default(Hub.Journal.LsnRange))]);
    }
}
