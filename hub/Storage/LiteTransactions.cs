using System.Collections;
using System.Reflection;
using LiteDB.Engine;

namespace CityGrid.Hub.Storage;

/// <summary>
/// LiteDB 5.0.20 gives a transaction a finalizer, and where a failing disk stopped the transaction half way that finalizer throws and ends the process.
/// The transactions of an engine are kept in a private field; the assumption tests say where it stands.
/// </summary>
internal static class LiteTransactions
{
    private static readonly FieldInfo? Monitor = typeof(LiteEngine).GetField("_monitor", BindingFlags.Instance | BindingFlags.NonPublic);
    private static readonly PropertyInfo? Transactions = Monitor?.FieldType.GetProperty("Transactions");

    /// <summary>The transactions that are open now.</summary>
    public static IReadOnlyList<object> Of(LiteEngine engine) =>
        Monitor?.GetValue(engine) is { } monitor && Transactions?.GetValue(monitor) is IEnumerable open ? [.. open.Cast<object>()] : [];

    /// <summary>Lets them go unfinalized: what they hold is the memory of an engine that is closed.</summary>
    public static void LetGo(IEnumerable<object> transactions)
    {
        foreach (var transaction in transactions)
        {
#pragma warning disable CA1816 // It is another's finalizer that is called off.
            GC.SuppressFinalize(transaction);
#pragma warning restore CA1816
        }
    }
}
