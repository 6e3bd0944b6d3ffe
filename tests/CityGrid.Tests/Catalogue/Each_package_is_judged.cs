using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Catalogue;

/// <summary>Clause K4: what becomes of a package where it comes, and that one which is refused holds up no other.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class Each_package_is_judged
{
    private readonly PackageFold _fold = new();
    private long _lsn;

    [Test]
    public void One_after_the_other_is_taken_and_none_twice()
    {
        var chain = Packages.Chain(3);
        Assert.That(chain.Select(package => Bring(package).Outcome), Is.All.EqualTo(PackageOutcome.Taken));
        Assert.That(chain.Select(package => Bring(package).Outcome), Is.All.EqualTo(PackageOutcome.Known));
        Assert.That(_fold.Packages.Count(), Is.EqualTo(3));
        Assert.That(_fold.Heads.Single().Number, Is.EqualTo(3));
    }

    [Test]
    public void One_whose_predecessor_is_missing_waits_for_it_unless_its_sender_has_none_before()
    {
        var chain = Packages.Chain(3);
        Assert.That(Bring(chain[1]).Outcome, Is.EqualTo(PackageOutcome.Gap));
        Assert.That(_fold.Packages, Is.Empty);
        Assert.That(Bring(chain[1], begins: true).Outcome, Is.EqualTo(PackageOutcome.Taken));
        Assert.That(Bring(chain[2]).Outcome, Is.EqualTo(PackageOutcome.Taken));
        Assert.That(Bring(chain[0]).Outcome, Is.EqualTo(PackageOutcome.Known), "It is older than all that is here, and would change nothing.");
    }

    [Test]
    public void Another_content_under_a_number_that_is_taken_is_a_fork_and_so_is_one_with_another_before_it()
    {
        var chain = Packages.Chain(2);
        Bring(chain[0]);
        Assert.That(CodeOf(Bring(Packages.Of(1, Hash256.Zero, p => p.Title = "another"))), Is.EqualTo(PackageJudge.Fork));
        Assert.That(CodeOf(Bring(Packages.Of(2, new Hash256(1, 1)))), Is.EqualTo(PackageJudge.Fork));
        Assert.That(Bring(chain[1]).Outcome, Is.EqualTo(PackageOutcome.Taken), "A fork holds up nothing.");
        Assert.That(_fold.Packages.Select(p => p.Refusal?.Code), Is.EqualTo(new[] { null, null, PackageJudge.Fork, PackageJudge.Fork }));
    }

    [Test]
    public void Bytes_that_are_not_those_of_the_name_are_asked_for_again()
    {
        var package = Packages.Of(1, Hash256.Zero);
        var verdict = PackageJudge.Judge(Packages.Wuhan, _fold, Packages.NameOf(package) with { Hash = new Hash256(1, 1) }, Packages.Enveloped(package), Packages.Now);
        Assert.That(verdict.Outcome, Is.EqualTo(PackageOutcome.Gap));
    }

    [TestCase("43", "hunan")]
    [TestCase("4201", "twin")]
    [TestCase("420111", "district")]
    [TestCase("99", "nowhere")]
    [TestCase("CN", "wuhan")]
    public void One_of_an_issuer_that_does_not_stand_above_is_refused_and_holds_up_no_other(string division, string issuer)
    {
        var chain = Packages.Chain(2, issuer, division);
        Assert.That(CodeOf(Bring(chain[0])), Is.EqualTo(PackageJudge.NotAbove));
        Assert.That(CodeOf(Bring(chain[1])), Is.EqualTo(PackageJudge.NotAbove), "What stands before it was refused, and is not waited for.");
        Assert.That(_fold.Editions, Is.Empty);
        Assert.That(_fold.Heads, Is.Empty);
        Assert.That(_fold.Refused.Select(refused => refused.Name.Number), Is.EqualTo(new[] { 1L, 2 }));
    }

    private static readonly Action<CataloguePackage>[] Bad =
    [
        p => p.Rows = "code\tname_zh\tname_en\tlimits\n01001\t井盖\tcover\t2x\n99000\t其他\tother\t\n",
        p => p.Rows = "code\tname_zh\tname_en\tlimits\n01001\t井盖\tcover\t2h\n",
        p => p.Rows = string.Empty,
        p => p.Version = "No Version",
        p => p.IssuerDivision = "no division",
        p => p.EffectiveFrom = int.MaxValue,
        p => p.IssuedAt = long.MaxValue,
        p => p.Title = new string('x', PackageFile.TextMax + 1),
        p => p.Previous = ByteString.CopyFrom(new byte[3]),
        p => p.Number = 7,
    ];

    [Test]
    public void One_that_is_malformed_is_refused_and_what_follows_it_is_taken([Range(0, 9)] int which)
    {
        var bad = Packages.Of(1, Hash256.Zero, Bad[which]);
        var name = Packages.NameOf(bad) with { Number = 1 };
        Assert.That(CodeOf(Bring(name, Packages.Enveloped(bad))), Is.EqualTo(PackageJudge.Malformed));
        Assert.That(Bring(Packages.Of(2, name.Hash)).Outcome, Is.EqualTo(PackageOutcome.Taken));
    }

    [Test]
    public void Bytes_that_are_no_package_are_refused_too()
    {
        var envelope = new PackageEnvelope { Package = ByteString.CopyFromUtf8("no package") };
        var name = new PackageName(NodeId.Parse("ministry"), 1, Hash256.Of(envelope.Package.Span));
        Assert.That(CodeOf(Bring(name, envelope)), Is.EqualTo(PackageJudge.Malformed));
        Assert.That(CodeOf(Bring(Packages.Of(1, Hash256.Zero))), Is.EqualTo(string.Empty), "A refused one holds its number until another comes under it.");
        Assert.That(Bring(name, envelope).Outcome, Is.EqualTo(PackageOutcome.Known));
    }

    private static readonly Refusal Wrong = new(IssuerWord.Wrong, "words");

    private static readonly Refusal Unsigned = new(IssuerWord.Unsigned, "words");

    [TestCase(SignaturePolicy.Accepted, "")]
    [TestCase(SignaturePolicy.Required, IssuerWord.Unsigned)]
    public void An_unsigned_one_is_taken_where_policy_allows_it(SignaturePolicy policy, string code) =>
        Assert.That(CodeOf(Bring(Packages.Of(1, Hash256.Zero), new PackageSignature(Unsigned, policy))), Is.EqualTo(code));

    [Test]
    public void An_unsigned_one_is_refused_once_a_signed_one_was_taken_and_so_is_one_with_a_wrong_signature()
    {
        var chain = Packages.Chain(3);
        Bring(Packages.NameOf(chain[0]), new PackageEnvelope { Package = chain[0].ToByteString(), Signature = new IssuerSignature { SignedAt = 1 } }, new PackageSignature(null, SignaturePolicy.Accepted));
        Assert.That(CodeOf(Bring(chain[1], new PackageSignature(Unsigned, SignaturePolicy.Accepted))), Is.EqualTo(IssuerWord.Unsigned));
        Assert.That(CodeOf(Bring(Packages.Of(1, Hash256.Zero, null, "invented", "CN"), new PackageSignature(Unsigned, SignaturePolicy.Accepted))), Is.EqualTo(IssuerWord.Unsigned), "A name that was made up does not help.");
        Assert.That(CodeOf(Bring(Packages.Of(1, Hash256.Zero, null, "invented", "42"), new PackageSignature(Unsigned, SignaturePolicy.Accepted))), Is.EqualTo(IssuerWord.Unsigned));
        Assert.That(CodeOf(Bring(Packages.Of(2, Packages.NameOf(chain[0]).Hash, p => p.Title = "forged"), new PackageSignature(Wrong, SignaturePolicy.Accepted))), Is.EqualTo(IssuerWord.Wrong));
        Assert.That(_fold.Editions, Has.Count.EqualTo(1));
        var good = Packages.Of(2, Packages.NameOf(chain[0]).Hash, p => p.Title = "the issuer's own");
        Assert.That(CodeOf(Bring(good, new PackageSignature(null, SignaturePolicy.Accepted))), Is.EqualTo(string.Empty), "What was forged keeps no number from its issuer.");
    }

    [Test]
    public void What_is_forged_under_a_number_that_is_taken_is_no_fork_and_takes_nothing_away()
    {
        var first = Packages.Of(1, Hash256.Zero);
        Bring(first);
        Assert.That(CodeOf(Bring(Packages.Of(1, Hash256.Zero, p => p.Title = "forged"), new PackageSignature(Wrong, SignaturePolicy.Accepted))), Is.EqualTo(IssuerWord.Wrong));
        Assert.That(_fold.At(NodeId.Parse("ministry"), 1)!.Name, Is.EqualTo(Packages.NameOf(first)));
        Assert.That(_fold.Refused, Is.Empty, "It says nothing of the package itself.");
    }

    [Test]
    public void A_version_has_one_content_for_ever()
    {
        var first = Packages.Of(1, Hash256.Zero, p => p.Version = "v");
        Bring(first);
        Assert.That(Bring(Packages.Of(1, Hash256.Zero, p => p.Version = "v", "hubei", "42")).Outcome, Is.EqualTo(PackageOutcome.Taken), "The same types under the same name.");
        var other = Packages.Of(2, Packages.NameOf(first).Hash, p =>
        {
            p.Version = "v";
            p.Rows = Packages.Rows.Replace("2h", "3h", StringComparison.Ordinal);
        });
        Assert.That(CodeOf(Bring(other)), Is.EqualTo(PackageJudge.VersionReused));
        Assert.That(CodeOf(Bring(Packages.Of(3, Packages.NameOf(other).Hash, p => p.Version = TypeCatalogue.BuiltIn.Version.ToString()))), Is.EqualTo(PackageJudge.VersionReused));
    }

    [Test]
    public void A_kind_that_is_not_known_is_kept_and_nothing_of_it_is_applied()
    {
        Assert.That(Bring(Packages.Of(1, Hash256.Zero, p =>
        {
            p.Kind = (PackageKind)99;
            p.Rows = "anything";
        })).Outcome, Is.EqualTo(PackageOutcome.Taken));
        Assert.That(_fold.Editions, Is.Empty);
        Assert.That(new PackageReader(_fold).Lacking(new Dictionary<NodeId, PackageName>(), [], [])!.Record.Name.Number, Is.EqualTo(1), "It is passed on.");
    }

    [Test]
    public void What_a_snapshot_brings_back_is_what_was_saved()
    {
        foreach (var package in Packages.Chain(2).Concat(Packages.Chain(1, "hunan", "43")))
        {
            Bring(package);
        }

        Bring(Packages.Of(1, Hash256.Zero, p => p.Title = "a fork"));
        var refused = new RefusedPackage(new PackageName(NodeId.Parse("x"), 1, new Hash256(1, 1)), new Refusal("CODE", "words"));
        _fold.Apply(Packages.Event(++_lsn, PackageFold.ToldEvent(NodeId.Parse("jiangxia"), [new PackageName(NodeId.Parse("ministry"), 2, new Hash256(2, 2))], [refused])));
        var saved = new MemoryStream();
        _fold.Save(saved);
        var loaded = new PackageFold();
        loaded.Load(new MemoryStream(saved.ToArray()));
        var again = new MemoryStream();
        loaded.Save(again);
        Assert.That(again.ToArray(), Is.EqualTo(saved.ToArray()));
        Assert.That(loaded.Packages.Select(p => (p.Name, p.Refusal, p.ReceivedAt)), Is.EqualTo(_fold.Packages.Select(p => (p.Name, p.Refusal, p.ReceivedAt))));
        Assert.That(loaded.Editions.Select(e => (e.Issuer, e.Number)), Is.EquivalentTo(_fold.Editions.Select(e => (e.Issuer, e.Number))));
        Assert.That(loaded.Child(NodeId.Parse("jiangxia")).Refused, Is.EqualTo(new[] { refused }));
    }

    [Test]
    public void What_a_child_lacks_is_told_by_what_it_said_last()
    {
        var (ours, theirs) = (Packages.Chain(3), Packages.Chain(2, "hubei", "42"));
        foreach (var package in ours.Concat(theirs))
        {
            Bring(package);
        }

        var child = NodeId.Parse("jiangxia");
        Assert.That(_fold.LackedBy(child).Count(), Is.EqualTo(5), "One that never spoke of any lacks all.");
        var refused = new RefusedPackage(Packages.NameOf(ours[2]), new Refusal("CODE", "words"));
        _fold.Apply(Packages.Event(++_lsn, PackageFold.ToldEvent(child, [Packages.NameOf(ours[1]), Packages.NameOf(theirs[0])], [refused])));
        Assert.That(_fold.LackedBy(child).Select(package => package.Name), Is.EqualTo(new[] { Packages.NameOf(theirs[1]) }));
    }

    private PackageVerdict Bring(CataloguePackage package, bool begins = false) => Bring(Packages.NameOf(package), Packages.Enveloped(package, begins));

    private PackageVerdict Bring(CataloguePackage package, PackageSignature signature) => Bring(Packages.NameOf(package), Packages.Enveloped(package), signature);

    /// <summary>As the desk does: what is decided is applied.</summary>
    private PackageVerdict Bring(PackageName name, PackageEnvelope envelope, PackageSignature? signature = null)
    {
        var verdict = PackageJudge.Judge(Packages.Wuhan, _fold, name, envelope, Packages.Now, signature);
        if (verdict is { Outcome: PackageOutcome.Taken } or { Outcome: PackageOutcome.Refused, IsOfPackage: true })
        {
            _fold.Apply(Packages.Event(++_lsn, PackageFold.ReceivedEvent(name, envelope, NodeId.Parse("hubei"), NodeId.Parse("wuhan"), verdict.Refusal)));
        }

        return verdict;
    }

    private static string CodeOf(PackageVerdict verdict) => verdict.Refusal?.Code ?? (verdict.Outcome == PackageOutcome.Taken ? string.Empty : verdict.Outcome.ToString());
}
