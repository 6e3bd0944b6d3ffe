using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>What a person wants published.</summary>
public sealed record PackageWish(string RequestKey, CatalogueVersion Version, StatDay EffectiveFrom, string Title, string Rows);

/// <summary>A package as it stands after a command, or why there is none. <paramref name="Repeated"/>: it was so before.</summary>
public sealed record PackageAnswer(PackageRecord? Package, bool Repeated, Refusal? Refusal);

/// <summary>What the child answers once a package is whole.</summary>
public sealed record PackageTaken(PackageOutcome Outcome, Refusal? Refusal, IReadOnlyList<PackageHead> Heads);

/// <summary>The door of packages: publishing, taking and hearing of them as commands for the sequencer (clauses K1 to K6).</summary>
public sealed class PackageDesk(CataloguePlace place, PackageFold packages, PackageNotary notary)
{
    public const string FileBad = "CATALOGUE_FILE_BAD";
    public const string DayPast = "CATALOGUE_DAY_PAST";
    public const string CodeNotAbove = "CATALOGUE_CODE_NOT_ABOVE";
    public const string TooLarge = "CATALOGUE_TOO_LARGE";

    /// <summary>Characters of faults, or codes, that one refusal names, so that it comes whole to whoever asked; what else is to be said stands before them.</summary>
    private const int NamedMax = 700;

    /// <summary>By so many numbers a child may be ahead of what this node knows to have published: a directory that was put back lost a few, and what is further ahead was made up.</summary>
    private const long AheadMax = 1000;

    public CataloguePlace Place => place;

    /// <summary>Why nothing new is published for now; null where it is. Asked on the writer.</summary>
    public Func<Instant, Refusal?>? Held { get; init; }

    /// <summary>Whether a node reports here now: what others once said of this node's own packages counts no more. Asked on the writer.</summary>
    public Func<NodeId, bool> IsChild { get; init; } = _ => true;

    /// <summary>The versions known here. Under the sequencer's lock, or on the writer.</summary>
    public CatalogueShelf Shelf => packages.Editions.Aggregate(CatalogueShelf.BuiltIn, (shelf, edition) => shelf.With(edition));

    /// <summary>What this node has: what the hello says. Under the sequencer's lock.</summary>
    public PackagesSaid Said => new(packages.Heads, [.. packages.Refused.Select(refused => new RefusedPackage(refused.Name, refused.Refusal!).ToMessage())]);

    public Command<PackageAnswer> Publish(PackageWish wish, string actor) => new PublishPackage(this, wish) { Actor = actor };

    /// <summary>A whole envelope from the parent: taken or refused, the decision is one record.</summary>
    public Command<PackageTaken> Receive(PackageName named, PackageEnvelope envelope, NodeId parent) =>
        Receive(named, envelope, parent, notary.Signs ? new PackageSignature(notary.Look(envelope), notary.Policy) : null);

    /// <summary>The same where the signature was looked at; null where nothing is signed.</summary>
    internal Command<PackageTaken> Receive(PackageName named, PackageEnvelope envelope, NodeId parent, PackageSignature? signature) =>
        new ReceivePackage(this, named, envelope, parent, signature) { Actor = $"node/{parent}" };

    /// <summary>The answer to a package that is known here; null for one that is not, whose bytes are wanted. Under the sequencer's lock.</summary>
    public PackageTaken? Known(PackageName named) =>
        packages.Find(named) is { } known ? new PackageTaken(known.IsTaken ? PackageOutcome.Known : PackageOutcome.Refused, known.Refusal, packages.Heads) : null;

    /// <summary>What a child says that it has, and what it refused: one record where it is news.</summary>
    public Command<bool> Hear(NodeId child, PackagesHeard heard) => new HearOfPackages(packages, child, heard) { Actor = $"node/{child}" };

    /// <summary>What a child sent, without believing it: what names no package is left out, and of an issuer named twice the first stands.</summary>
    public static IReadOnlyList<PackageName> HeadsOf(IEnumerable<PackageHead> heads)
    {
        var read = new SortedDictionary<NodeId, PackageName>();
        foreach (var head in heads.Take(PackageFold.HeadsMax))
        {
            if (PackageName.TryRead(head, out var name))
            {
                read.TryAdd(name.Issuer, name);
            }
        }

        return [.. read.Values];
    }

    /// <summary>
    /// What this node's next package continues: the newest here, or a newer one that a child has of an earlier life of this directory. Where a child has another
    /// one under a number of this chain, a number is left out: what stands behind a gap is taken whatever stood before it.
    /// </summary>
    private (long Number, Hash256 Hash) LastOwn()
    {
        var last = packages.Last(place.Node) is { } own ? own.Name : default;
        var told = packages.Children.Where(child => IsChild(child.Child)).Select(child => child.Heads.GetValueOrDefault(place.Node))
            .Where(head => head.Number > 0 && head.Number - last.Number <= AheadMax).ToList();
        if (told.Count > 0 && told.MaxBy(head => head.Number) is var newest && newest.Number > last.Number)
        {
            last = newest;
        }

        var isForked = told.Any(head => packages.At(place.Node, head.Number) is { } here && here.Name.Hash != head.Hash);
        return (last.Number + (isForked ? 1 : 0), last.Hash);
    }

    /// <summary>The first of many, as many as fit, and how many of how many that is.</summary>
    private static string Named(IReadOnlyList<string> all, int count)
    {
        var (named, length) = (0, 0);
        while (named < all.Count && (named == 0 || length + all[named].Length < NamedMax))
        {
            length += all[named++].Length + 1;
        }

        var text = string.Join(' ', all.Take(named));
        return (named < count ? $"The first {named}: " : string.Empty) + (text.Length <= NamedMax ? text : text[..NamedMax]);
    }

    private sealed class PublishPackage : Command<PackageAnswer>
    {
        private readonly PackageDesk _desk;
        private readonly PackageWish _wish;
        private readonly Hash256 _request;
        private readonly TypeCatalogue? _catalogue;
        private readonly CatalogueFaults _faults;

        public PublishPackage(PackageDesk desk, PackageWish wish)
        {
            (_desk, _wish) = (desk, wish);
            _request = Hash256.Of(System.Text.Encoding.UTF8.GetBytes($"citygrid/package-request/1\n{wish.RequestKey}"));
            _catalogue = PackageFile.Read(wish.Version, wish.Rows, out _faults);
        }

        public override IReadOnlyCollection<Touched> Touches => [Touched.By("packages", string.Empty)];

        public override Decision<PackageAnswer> Decide(Instant now)
        {
            var (place, packages) = (_desk.Place, _desk.Packages);
            if (packages.ByRequest(_request) is { } known)
            {
                return IsSame(known.Content!)
                    ? Decision<PackageAnswer>.Nothing(new PackageAnswer(known, true, null))
                    : No("REQUEST_KEY_REUSED", "Another package was published with this request key. Use a fresh key for each package.", "request_key");
            }

            if (_desk.Held?.Invoke(now) is { } held)
            {
                return Decision<PackageAnswer>.Nothing(new PackageAnswer(null, false, held));
            }

            if (_catalogue is not { } catalogue)
            {
                return No(FileBad, $"The rows have {_faults.Count} faults, and nothing was published. {Named(_faults.Named, _faults.Count)}", "rows");
            }

            if (_wish.EffectiveFrom < place.DayOf(now))
            {
                return No(DayPast, $"{_wish.EffectiveFrom} is past: what was filed then was filed under the version in force then. The first day that is possible is {place.DayOf(now)}.", "effective_from");
            }

            if (PackageJudge.Reused(packages, catalogue) is { } reused)
            {
                return Decision<PackageAnswer>.Nothing(new PackageAnswer(null, false, reused));
            }

            if (!place.IsRoot && _desk.Shelf.Above(_wish.EffectiveFrom, place.Division, place.Register) is var above
                && catalogue.All.Where(type => above.Find(type.Key.Code) is null).Select(type => type.Key.Code.ToString()).ToList() is { Count: > 0 } foreign)
            {
                return No(CodeNotAbove, $"{foreign.Count} codes do not stand in {above.Version}, which is in force above {place.Division} on {_wish.EffectiveFrom}. Limits and names are this place's own affair, codes are not: figures are added up by them. {Named(foreign, foreign.Count)}", "rows");
            }

            var package = PackageOf(now);
            var bytes = package.ToByteString();
            if (bytes.Length > PackageFile.BytesMax)
            {
                return No(TooLarge, $"The package has {bytes.Length} bytes; at most {PackageFile.BytesMax} are allowed.", "rows");
            }

            // Its number and what it follows are known on the writer alone; packages are so few that one signature there holds nobody up.
            var signature = _desk.Notary.Sign(package, bytes, out var unbelievable);
            if (unbelievable is not null)
            {
                return Decision<PackageAnswer>.Nothing(new PackageAnswer(null, false, unbelievable));
            }

            Failpoint.Hit("package.publish.before");
            var published = PackageFold.PublishedEvent(new PackageEnvelope { Package = bytes, Signature = signature }, _request);
            return Decision<PackageAnswer>.Of(new RecordDraft(Actor, [published]), _ => Published());
        }

        private PackageAnswer Published()
        {
            Failpoint.Hit("package.publish.after");
            return new PackageAnswer(_desk.Packages.ByRequest(_request), false, null);
        }

        private CataloguePackage PackageOf(Instant now)
        {
            var (number, hash) = _desk.LastOwn();
            return new CataloguePackage
            {
                Issuer = _desk.Place.Node.ToString(),
                IssuerDivision = _desk.Place.Division.ToString(),
                Number = number + 1,
                Previous = number == 0 ? ByteString.Empty : ByteString.CopyFrom(hash.ToBytes()),
                Kind = PackageKind.Catalogue,
                Version = _wish.Version.ToString(),
                EffectiveFrom = _wish.EffectiveFrom.Number,
                Title = _wish.Title,
                IssuedAt = now.ToUnixTimeSeconds(),
                Rows = _wish.Rows,
            };
        }

        private bool IsSame(CataloguePackage known) =>
            known.Version == _wish.Version.ToString() && known.EffectiveFrom == _wish.EffectiveFrom.Number && known.Title == _wish.Title && known.Rows == _wish.Rows;

        private static Decision<PackageAnswer> No(string code, string message, string where) =>
            Decision<PackageAnswer>.Nothing(new PackageAnswer(null, false, new Refusal(code, message, where)));
    }

    private sealed class ReceivePackage(PackageDesk desk, PackageName named, PackageEnvelope envelope, NodeId parent, PackageSignature? signature) : Command<PackageTaken>
    {
        private readonly PackageRead _read = PackageRead.Of(envelope);

        public override IReadOnlyCollection<Touched> Touches => [Touched.By("packages", string.Empty)];

        public override Decision<PackageTaken> Decide(Instant now)
        {
            var verdict = PackageJudge.Judge(desk.Place, desk.Packages, named, envelope, _read, now, signature);

            // Whoever makes up ever new ones fills no disk with them; what an issuer signed is its own word, and has its record.
            var isDecided = verdict.Outcome == PackageOutcome.Taken
                || (verdict is { Outcome: PackageOutcome.Refused, IsOfPackage: true } && (desk.Packages.Refused.Count < PackageFold.RefusedMax || (signature is { Found: null } && verdict.Refusal!.Code != PackageJudge.Malformed)));
            if (!isDecided)
            {
                return Decision<PackageTaken>.Nothing(new PackageTaken(verdict.Outcome, verdict.Refusal, desk.Packages.Heads));
            }

            Failpoint.Hit("package.keep.before", verdict.Refusal is null);
            Failpoint.Hit("package.refusal.keep.before", verdict.Refusal is not null);
            return Decision<PackageTaken>.Of(new RecordDraft(Actor, [PackageFold.ReceivedEvent(named, envelope, parent, desk.Place.Node, verdict.Refusal)]), _ => Kept(verdict));
        }

        private PackageTaken Kept(PackageVerdict verdict)
        {
            Failpoint.Hit("package.keep.after", verdict.Refusal is null);
            Failpoint.Hit("package.refusal.keep.after", verdict.Refusal is not null);
            return new PackageTaken(verdict.Outcome, verdict.Refusal, desk.Packages.Heads);
        }
    }

    private sealed class HearOfPackages(PackageFold packages, NodeId child, PackagesHeard heard) : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [Touched.By("packages of", child.ToString())];

        public override Decision<bool> Decide(Instant now)
        {
            var known = packages.Child(child);
            var refused = heard.Refused.Where(one => !known.Refused.Contains(one) && !heard.Heads.Contains(one.Name)).ToList();
            if (refused.Count == 0 && known.ToldAt != Instant.MinValue && heard.Heads.SequenceEqual(known.Heads.Values))
            {
                return Decision<bool>.Nothing(false);
            }

            Failpoint.Hit("packages.note.before");
            return Decision<bool>.Of(new RecordDraft(Actor, [PackageFold.ToldEvent(child, heard.Heads, refused)]), _ => Noted());
        }

        private static bool Noted()
        {
            Failpoint.Hit("packages.note.after");
            return true;
        }
    }

    private PackageFold Packages => packages;

    private PackageNotary Notary => notary;
}
