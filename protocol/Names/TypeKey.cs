namespace CityGrid.Protocol.Names;

/// <summary>What kind of thing a type code names (GB/T 47678.5).</summary>
public enum TypeKind : byte
{
    /// <summary>管理部件, a managed component.</summary>
    Component = 1,

    /// <summary>管理事项, a matter; cases are of this kind.</summary>
    Matter = 2,
}

/// <summary>A type as a key: catalogue version, kind and code together.</summary>
public readonly record struct TypeKey(CatalogueVersion Version, TypeKind Kind, TypeCode Code) : IComparable<TypeKey>
{
    public int CompareTo(TypeKey other)
    {
        var byVersion = Version.CompareTo(other.Version);
        if (byVersion != 0)
        {
            return byVersion;
        }

        return Kind != other.Kind ? Kind.CompareTo(other.Kind) : Code.CompareTo(other.Code);
    }

    public override string ToString() => $"{Version}/{(Kind == TypeKind.Matter ? "matter" : "component")}/{Code}";
}
