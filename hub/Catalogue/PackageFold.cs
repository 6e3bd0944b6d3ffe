using System.Collections.Immutable;
using CityGrid.Hub.Catalogue.V1;
using CityGrid.Hub.Journal;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>
/// Every catalogue package known here (published here, or come from above, refused ones too), the versions that they put in force, and what each child has said
/// that it has of them.
/// </summary>
public sealed class PackageFold : IFold
{
    /// <summary>Of more than so many of an issuer's packages that stand beside its chain no further one is kept.</summary>
    public const int AsideMax = 16;

    private readonly SortedDictionary<NodeId, SortedList<long, PackageRecord>> _chains = [];
    private readonly SortedDictionary<NodeId, List<PackageRecord>> _aside = [];
    private readonly Dictionary<Hash256, PackageRecord> _byRequest = [];
    private readonly SortedDictionary<NodeId, ChildPackages> _children = [];
    private readonly List<CatalogueEdition> _editions = [];
    private readonly Dictionary<CatalogueVersion, TypeCatalogue> _versions = new() { [TypeCatalogue.BuiltIn.Version] = TypeCatalogue.BuiltIn };

    public string Name => "packages";

    public int Version => 1;

    /// <summary>The versions put in force, in the order in which they came here.</summary>
    public IReadOnlyList<CatalogueEdition> Editions => _editions;

    public IEnumerable<NodeId> Issuers => _chains.Keys;

    /// <summary>In order of issuer and number; behind those of an issuer what stands beside its chain.</summary>
    public IEnumerable<PackageRecord> Packages => _chains.SelectMany(chain => chain.Value.Values.Concat(Aside(chain.Key)));

    public IEnumerable<ChildPackages> Children => _children.Values;

    /// <summary>The newest of each issuer: what the hello says (clause K3).</summary>
    public IReadOnlyList<PackageHead> Heads => [.. _chains.Values.Select(chain => chain.Values[^1].Name.ToHead())];

    public PackageRecord? At(NodeId issuer, long number) => _chains.TryGetValue(issuer, out var chain) ? chain.GetValueOrDefault(number) : null;

    /// <summary>The newest of an issuer.</summary>
    public PackageRecord? Last(NodeId issuer) => _chains.TryGetValue(issuer, out var chain) ? chain.Values[^1] : null;

    /// <summary>An issuer's packages in order of number.</summary>
    public IReadOnlyList<PackageRecord> Of(NodeId issuer) => _chains.TryGetValue(issuer, out var chain) ? chain.Values.AsReadOnly() : [];

    /// <summary>The package of this very name, also one that stands beside its issuer's chain.</summary>
    public PackageRecord? Find(PackageName name) =>
        At(name.Issuer, name.Number) is { } known && known.Name == name ? known : Aside(name.Issuer).FirstOrDefault(record => record.Name == name);

    /// <summary>How many of an issuer's packages stand beside its chain.</summary>
    public int AsideOf(NodeId issuer) => Aside(issuer).Count;

    public PackageRecord? ByRequest(Hash256 request) => _byRequest.GetValueOrDefault(request);

    /// <summary>The types of a version known here, the built-in one among them.</summary>
    public TypeCatalogue? TypesOf(CatalogueVersion version) => _versions.GetValueOrDefault(version);

    public ChildPackages Child(NodeId child) => _children.GetValueOrDefault(child) ?? ChildPackages.None(child);

    /// <summary>A package of this issuer was taken that it had signed.</summary>
    public bool HasSigned(NodeId issuer) => Of(issuer).Any(record => record is { IsTaken: true, Envelope.Signature: not null });

    public static EventDraft PublishedEvent(PackageEnvelope envelope, Hash256 request) => Draft(EventKinds.PackagePublished, new PackagePublished
    {
        Envelope = envelope.ToByteString(),
        Request = ByteString.CopyFrom(request.ToBytes()),
    });

    public static EventDraft ReceivedEvent(PackageName name, PackageEnvelope envelope, NodeId parent, NodeId node, Refusal? refusal) => Draft(EventKinds.PackageReceived, new PackageReceived
    {
        Envelope = envelope.ToByteString(),
        Package = ImageOf(name),
        Parent = parent.ToString(),
        Node = node.ToString(),
        Code = refusal?.Code ?? string.Empty,
        Message = refusal?.Message ?? string.Empty,
    });

    public static EventDraft ToldEvent(NodeId child, IEnumerable<PackageName> heads, (PackageName Name, Refusal Refusal)? refused) => Draft(EventKinds.PackagesTold, new PackagesTold
    {
        Child = child.ToString(),
        Heads = { heads.Select(ImageOf) },
        Refused = refused is { } one ? ImageOf(one) : null,
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
        image.Packages.AddRange(_chains.Values.SelectMany(chain => chain.Values).Select(record => ImageOf(record, isFork: false)));
        image.Packages.AddRange(_aside.Values.SelectMany(list => list).Select(record => ImageOf(record, isFork: true)));
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
            var record = RecordOf(PackageEnvelope.Parser.ParseFrom(one.Envelope), NameOf(one.Package), Instant.FromUnixTimeTicks(one.ReceivedAt), one.PublishedHere, one.Code, one.Message) with
            {
                Request = Hash256.FromBytes(one.Request.Span),
            };
            if (one.IsFork)
            {
                SetAside(record);
            }
            else
            {
                Put(record);
            }
        }

        foreach (var child in image.Children)
        {
            var node = NodeId.Parse(child.Child);
            _children[node] = new ChildPackages(
                node, HeadsOf(child.Heads), Instant.FromUnixTimeTicks(child.ToldAt), [.. child.Refused.Select(refused => (NameOf(refused.Package), new Refusal(refused.Code, refused.Message)))]);
        }
    }

    private void Receive(PackageReceived received, Instant at)
    {
        var envelope = PackageEnvelope.Parser.ParseFrom(received.Envelope);
        envelope.Hops.Add(new Hop { Node = received.Node, ReceivedAt = at.ToUnixTimeMilliseconds() });
        var record = RecordOf(envelope, NameOf(received.Package), at, isOwn: false, received.Code, received.Message);
        if (received.Code == PackageJudge.Fork || (!record.IsTaken && At(record.Name.Issuer, record.Name.Number) is { } standing && (standing.IsTaken || standing != Last(record.Name.Issuer))))
        {
            SetAside(record);
        }
        else
        {
            Put(record);
        }
    }

    private void Hear(PackagesTold told, Instant at)
    {
        var child = NodeId.Parse(told.Child);
        var before = Child(child);
        var refused = before.Refused;
        if (told.Refused is { } one && NameOf(one.Package) is var name)
        {
            refused = [.. refused.Where(known => known.Name != name).TakeLast(ChildPackages.RefusedMax - 1), (name, new Refusal(one.Code, one.Message))];
        }

        _children[child] = new ChildPackages(child, HeadsOf(told.Heads), at, refused);
    }

    private void Put(PackageRecord record)
    {
        if (!_chains.TryGetValue(record.Name.Issuer, out var chain))
        {
            _chains.Add(record.Name.Issuer, chain = []);
        }

        if (chain.TryGetValue(record.Name.Number, out var replaced))
        {
            SetAside(replaced);
        }

        chain[record.Name.Number] = record;
        if (record.IsOwn)
        {
            _byRequest[record.Request] = record;
        }

        if (record is { IsTaken: true, Content: { } content } && PackageFile.EditionOf(content) is { } edition)
        {
            var known = _versions.TryAdd(edition.Catalogue.Version, edition.Catalogue) ? edition.Catalogue : _versions[edition.Catalogue.Version];
            _editions.Add(edition with { Catalogue = known });
        }
    }

    private void SetAside(PackageRecord record)
    {
        if (!_aside.TryGetValue(record.Name.Issuer, out var list))
        {
            _aside.Add(record.Name.Issuer, list = []);
        }

        list.Add(record);
    }

    private List<PackageRecord> Aside(NodeId issuer) => _aside.GetValueOrDefault(issuer) ?? [];

    private static PackageRecord RecordOf(PackageEnvelope envelope, PackageName name, Instant at, bool isOwn, string code, string message) =>
        new(name, envelope, PackageFile.Parse(envelope.Package), at, isOwn, code.Length == 0 ? null : new Refusal(code, message));

    private static PackageName NameOf(PackageNameImage image) => new(NodeId.Parse(image.Issuer), image.Number, Hash256.FromBytes(image.Hash.Span));

    private static PackageNameImage ImageOf(PackageName name) => new() { Issuer = name.Issuer.ToString(), Number = name.Number, Hash = ByteString.CopyFrom(name.Hash.ToBytes()) };

    private static ImmutableSortedDictionary<NodeId, PackageName> HeadsOf(IEnumerable<PackageNameImage> heads) => heads.Select(NameOf).ToImmutableSortedDictionary(head => head.Issuer, head => head);

    private static PackageImage ImageOf(PackageRecord record, bool isFork) => new()
    {
        Envelope = record.Envelope.ToByteString(),
        Package = ImageOf(record.Name),
        PublishedHere = record.IsOwn,
        Request = ByteString.CopyFrom(record.Request.ToBytes()),
        Code = record.Refusal?.Code ?? string.Empty,
        Message = record.Refusal?.Message ?? string.Empty,
        ReceivedAt = record.ReceivedAt.ToUnixTimeTicks(),
        IsFork = isFork,
    };

    private static PackageRefused ImageOf((PackageName Name, Refusal Refusal) refused) => new() { Package = ImageOf(refused.Name), Code = refused.Refusal.Code, Message = refused.Refusal.Message };

    private static EventDraft Draft(ushort kind, IMessage payload) => new(kind, 1, payload.ToByteArray());
}
