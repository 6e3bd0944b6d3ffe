using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Node.Stored;
using Google.Protobuf;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Cases;

/// <summary>
/// The catalogue of this place: the built-in one and the local types that imports brought, each an event of its own in the record of the first
/// row that had it.
/// </summary>
public sealed class LocalTypes : IFold
{
    private const int NameLengthMax = 200;

    private readonly TypeCatalogue _standard;
    private volatile TypeCatalogue _catalogue;

    public LocalTypes(TypeCatalogue standard) => _catalogue = _standard = standard;

    public string Name => "local-types";

    public int Version => 1;

    /// <summary>The catalogue with all local types so far. Any thread may read it.</summary>
    public TypeCatalogue Catalogue => _catalogue;

    /// <summary>
    /// The event that adds a type. A code of null makes one of the name. Null where the code is known already, as a standard or a local type.
    /// </summary>
    public static EventDraft? Added(TypeCatalogue catalogue, string name, TypeCode? code = null)
    {
        var named = name.Length <= NameLengthMax ? name : name[..NameLengthMax];
        var added = code ?? TypeCatalogue.LocalCodeOf(name);
        return catalogue.Find(added) is not null
            ? null
            : new EventDraft(
                CaseEventKinds.LocalTypeAdded,
                CaseEventKinds.Schema,
                new StoredLocalTypeAdded { Catalogue = catalogue.Version.ToString(), Code = added.ToString(), Name = named }.ToByteArray());
    }

    public void Apply(in JournalEvent journalEvent)
    {
        if (journalEvent.Kind == CaseEventKinds.LocalTypeAdded)
        {
            Add(StoredLocalTypeAdded.Parser.ParseFrom(journalEvent.Payload.Span));
        }
    }

    public void Save(Stream target)
    {
        foreach (var type in _catalogue.LocalTypes)
        {
            new StoredLocalTypeAdded { Catalogue = type.Key.Version.ToString(), Code = type.Key.Code.ToString(), Name = type.NameZh }.WriteDelimitedTo(target);
        }
    }

    public void Load(Stream source)
    {
        _catalogue = _standard;
        while (source.Position < source.Length)
        {
            Add(StoredLocalTypeAdded.Parser.ParseDelimitedFrom(source));
        }
    }

    private void Add(StoredLocalTypeAdded added)
    {
        if (added.Catalogue == _catalogue.Version.ToString())
        {
            _catalogue = _catalogue.WithLocal(TypeCode.Parse(added.Code), added.Name);
        }
    }
}
