using System.Collections.Immutable;
using CityGrid.Hub.Catalogue.V1;
using CityGrid.Hub.Journal;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>
/// Every catalogue package taken here (published here, or come from above), the versions that they put in force, the names of those that were refused, and what each
/// child has said that it has of them. What was refused is in no issuer's chain: whoever makes up packages keeps no number from their issuer.
/// </summary>
public sealed class PackageFold : IFold
{
    /// <summary>Refused packages whose names are kept; of more the oldest are forgotten.</summary>
    public const int RefusedMax = 64;

    /// <summary>Issuers that the hello names: as many as its reader takes. A place has a handful above it.</summary>
    public const int HeadsMax = 64;

    private readonly SortedDictionary<NodeId, SortedList<long, PackageRecord>> _chains = [];
    private readonly List<PackageRecord> _refused = [];
    private readonly Dictionary<Hash256, PackageRecord> _byRequest = [];
    private readonly SortedDictionary<NodeId, ChildPackages> _children = [];
    private readonly List<CatalogueEdition> _editions = [];
    private readonly Dictionary<CatalogueVersion, TypeCatalogue> _versions = new() { [TypeCatalogue.BuiltIn.Version] = TypeCatalogue.BuiltIn };

    public string Name => "packages";

    public int Version => 1;

    public bool Takes(ushort kind) => kind < EventKinds.NodeFirst;

    /// <summary>The versions put in force, in the order in which they came here.</summary>
    public IReadOnlyList<CatalogueEdition> Editions => _editions;

    public IEnumerable<NodeId> Issuers => _chains.Keys;

    /// <summary>In order of issuer and number; behind those of an issuer that were taken the refused ones, in the order in which they came.</summary>
    public IEnumerable<PackageRecord> Packages => _chains.Values.SelectMany(chain => chain.Values).Concat(_refused).OrderBy(record => record.Name.Issuer);

    /// <summary>By name alone, in the order in which they came.</summary>
    public IReadOnlyList<PackageRecord> Refused => _refused;

    public IEnumerable<ChildPackages> Children => _children.Values;

    /// <summary>The newest of each issuer: what the hello says (clause K3).</summary>
    public IReadOnlyList<PackageHead> Heads => [.. _chains.Values.Take(HeadsMax).Select(chain => chain.Values[^1].Name.ToHead())];

    public PackageRecord? At(NodeId issuer, long number) => _chains.TryGetValue(issuer, out var chain) ? chain.GetValueOrDefault(number) : null;

    /// <summary>The newest of an issuer.</summary>
    public PackageRecord? Last(NodeId issuer) => _chains.TryGetValue(issuer, out var chain) ? chain.Values[^1] : null;

    /// <summary>An issuer's packages in order of number.</summary>
    public IReadOnlyList<PackageRecord> Of(NodeId issuer) => _chains.TryGetValue(issuer, out var chain) ? chain.Values.AsReadOnly() : [];

    /// <summary>The package of this very name, also one that was refused.</summary>
    public PackageRecord? Find(PackageName name) =>
        At(name.Issuer, name.Number) is { } known && known.Name == name ? known : _refused.Find(record => record.Name == name);

    public PackageRecord? ByRequest(Hash256 request) => _byRequest.GetValueOrDefault(request);

    /// <summary>The types of a version known here, the built-in one among them.</summary>
    public TypeCatalogue? TypesOf(CatalogueVersion version) => _versions.GetValueOrDefault(version);

    /// <summary>
    /// What a child has not got of the packages here, by what it said last: those of each issuer past its newest, but for what it refused, in order of issuer and number. A child that speaks of
    /// none, for it is of an earlier protocol, lacks all of them.
    /// </summary>
    public IEnumerable<PackageRecord> LackedBy(NodeId child)
    {
        var has = Child(child);
        var refused = has.Refused.Select(package => package.Name.Hash).ToHashSet();
        return _chains.SelectMany(chain => chain.Value.Values.Where(record => record.Name.Number > has.Heads.GetValueOrDefault(chain.Key).Number && !refused.Contains(record.Name.Hash)));
    }

    public ChildPackages Child(NodeId child) => _children.GetValueOrDefault(child) ?? ChildPackages.None(child);

    /// <summary>A signed package was taken here, whose ever it was: those above sign, so a name that was made up does not help whoever forges.</summary>
    public bool HasSigned => _chains.Values.Any(chain => chain.Values.Any(record => record is { IsOwn: false, Envelope.Signature: not null }));

    public static EventDraft PublishedEvent(PackageEnvelope envelope, Hash256 request) => Draft(EventKinds.PackagePublished, new PackagePublished
    {
        Envelope = envelope.ToByteString(),
        Request = ByteString.CopyFrom(request.ToBytes()),
    });

    /// <summary>Of what was refused the name and the reason are kept, and not the bytes.</summary>
    public static EventDraft ReceivedEvent(PackageName name, PackageEnvelope envelope, NodeId parent, NodeId node, Refusal? refusal) => Draft(EventKinds.PackageReceived, new PackageReceived
    {
        Envelope = refusal is null ? envelope.ToByteString() : ByteString.Empty,
        Package = ImageOf(name),
        Parent = parent.ToString(),
        Node = node.ToString(),
        Code = refusal?.Code ?? string.Empty,
        Message = refusal?.Message ?? string.Empty,
    });

    public static EventDraft ToldEvent(NodeId child, IEnumerable<PackageName> heads, IEnumerable<RefusedPackage> refused) => Draft(EventKinds.PackagesTold, new PackagesTold
    {
        Child = child.ToString(),
        Heads = { heads.Select(ImageOf) },
        Refused = { refused.Select(ImageOf) },
    });

    public void Apply(in JournalEvent journalEvent)
    {
        switch (journalEvent.Kind)
        {
            case EventKinds.PackagePublished:
                var published = PackagePublished.Parser.ParseFrom(journalEvent.Payload.Span);
                var envelope = PackageEnvelope.Parser.ParseFrom(published.Envelope);
                var content = CataloguePackage.Parser.ParseFrom(envelope.Package);
                Put(new PackageRecord(new PackageName(NodeId.Parse(content.Issuer), content.Number, Hash256.Of(envelope.Package.Span)), envelope, content, journalEvent.RecordedAt, true, null)
                {
                    Request = Hash256.FromBytes(published.Request.Span),
                });
                break;
            case EventKinds.PackageReceived:
                Receive(PackageReceived.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent.RecordedAt);
                break;
            case EventKinds.PackagesTold:
                Hear(PackagesTold.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent.RecordedAt);
                break;
            default:
                break;
        }
    }

    public void Save(Stream target)
    {
        var image = new PackagesImage();
        image.Packages.AddRange(_chains.Values.SelectMany(chain => chain.Values).Concat(_refused).Select(ImageOf));
        image.Children.AddRange(_children.Values.Select(child => new PackageChildImage
        {
            Child = child.Child.ToString(),
            Heads = { child.Heads.Values.Select(ImageOf) },
            ToldAt = child.ToldAt.ToUnixTimeTicks(),
            Refused = { child.Refused.Select(ImageOf) },
        }));
        // The order in which versions came decides nothing, so it is not kept.
        image.WriteTo(target);
    }

    public void Load(Stream source)
    {
        var image = PackagesImage.Parser.ParseFrom(source);
        foreach (var one in image.Packages)
        {
            Keep(RecordOf(PackageEnvelope.Parser.ParseFrom(one.Envelope), NameOf(one.Package), Instant.FromUnixTimeTicks(one.ReceivedAt), one.PublishedHere, one.Code, one.Message) with
            {
                Request = Hash256.FromBytes(one.Request.Span),
            });
        }

        foreach (var child in image.Children)
        {
            var node = NodeId.Parse(child.Child);
            _children[node] = new ChildPackages(
                node, HeadsOf(child.Heads), Instant.FromUnixTimeTicks(child.ToldAt), [.. child.Refused.Select(RefusedOf)]);
        }
    }

    private void Receive(PackageReceived received, Instant at)
    {
        var envelope = received.Code.Length == 0 ? PackageEnvelope.Parser.ParseFrom(received.Envelope) : new PackageEnvelope();
        envelope.Hops.Add(new Hop { Node = received.Node, ReceivedAt = at.ToUnixTimeMilliseconds() });
        Keep(RecordOf(envelope, NameOf(received.Package), at, isOwn: false, received.Code, received.Message));
    }

    private void Hear(PackagesTold told, Instant at)
    {
        var child = NodeId.Parse(told.Child);
        var (heads, news) = (HeadsOf(told.Heads), told.Refused.Select(RefusedOf).ToArray());

        // What it refused at first and has taken since is refused no more.
        var refused = Child(child).Refused.Where(known => news.All(one => one.Name != known.Name)).Concat(news).Where(known => heads.GetValueOrDefault(known.Name.Issuer) != known.Name);
        _children[child] = new ChildPackages(child, heads, at, [.. refused.TakeLast(ChildPackages.RefusedMax)]);
    }

    private void Keep(PackageRecord record)
    {
        if (record.IsTaken)
        {
            Put(record);
            return;
        }

        if (_refused.Count == RefusedMax)
        {
            _refused.RemoveAt(0);
        }

        _refused.Add(record);
    }

    private void Put(PackageRecord record)
    {
        if (!_chains.TryGetValue(record.Name.Issuer, out var chain))
        {
            _chains.Add(record.Name.Issuer, chain = []);
        }

        chain[record.Name.Number] = record;
        if (record.IsOwn)
        {
            _byRequest[record.Request] = record;
        }

        if (record.Content is { } content && PackageFile.EditionOf(content) is { } edition)
        {
            var known = _versions.TryAdd(edition.Catalogue.Version, edition.Catalogue) ? edition.Catalogue : _versions[edition.Catalogue.Version];
            _editions.Add(edition with { Catalogue = known });
        }
    }

    private static PackageRecord RecordOf(PackageEnvelope envelope, PackageName name, Instant at, bool isOwn, string code, string message) =>
        new(name, envelope, code.Length == 0 ? PackageFile.Parse(envelope.Package) : null, at, isOwn, code.Length == 0 ? null : new Refusal(code, message));

    private static PackageName NameOf(PackageNameImage? image) => image is null ? throw new FormatException("A package has a name.") : new(NodeId.Parse(image.Issuer), image.Number, Hash256.FromBytes(image.Hash.Span));

    private static PackageNameImage ImageOf(PackageName name) => new() { Issuer = name.Issuer.ToString(), Number = name.Number, Hash = ByteString.CopyFrom(name.Hash.ToBytes()) };

    private static ImmutableSortedDictionary<NodeId, PackageName> HeadsOf(IEnumerable<PackageNameImage> heads) => heads.Select(NameOf).ToImmutableSortedDictionary(head => head.Issuer, head => head);

    private static PackageImage ImageOf(PackageRecord record) => new()
    {
        Envelope = record.Envelope.ToByteString(),
        Package = ImageOf(record.Name),
        PublishedHere = record.IsOwn,
        Request = ByteString.CopyFrom(record.Request.ToBytes()),
        Code = record.Refusal?.Code ?? string.Empty,
        Message = record.Refusal?.Message ?? string.Empty,
        ReceivedAt = record.ReceivedAt.ToUnixTimeTicks(),
    };

    private static RefusedPackage RefusedOf(PackageRefused image) => new(NameOf(image.Package), new Refusal(image.Code, image.Message));

    private static PackageRefused ImageOf(RefusedPackage refused) => new() { Package = ImageOf(refused.Name), Code = refused.Refusal.Code, Message = refused.Refusal.Message };

    private static EventDraft Draft(ushort kind, IMessage payload) => new(kind, 1, payload.ToByteArray());
}
