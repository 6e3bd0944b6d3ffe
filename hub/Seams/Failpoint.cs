using System.Diagnostics;

namespace CityGrid.Hub.Seams;

/// <summary>
/// A named place at which a test has a real process die, stand still, fail or wait (docs/failpoints.md). Only a program that is built with
/// <c>-p:Failpoints=true</c> has any: in every other the calls are not compiled, nor are the names and what acts at them (SEC-34).
/// </summary>
public static partial class Failpoint
{
    /// <summary>The program has come to this place. It may not come back, or throw as a disk or a wire does that fails.</summary>
    /// <param name="name">One of FailpointNames, written out where it is.</param>
    /// <param name="when">Whether what happens here is what the place is named for.</param>
    [Conditional("FAILPOINTS")]
    public static void Hit(string name, bool when = true)
    {
        if (when)
        {
            Act(name);
        }
    }

    /// <summary>Makes a limit of the program smaller, so that a short run comes to what only a long one would.</summary>
    [Conditional("FAILPOINTS")]
    public static void Shorten(string limit, ref long value) => Set(limit, ref value);

    static partial void Act(string name);

    static partial void Set(string limit, ref long value);
}
