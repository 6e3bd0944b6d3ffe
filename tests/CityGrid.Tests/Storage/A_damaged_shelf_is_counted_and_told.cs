using CityGrid.Hub.Storage;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

public sealed class A_damaged_shelf_is_counted_and_told
{
    [Test]
    public void Those_that_were_found_before_anybody_could_be_told_too()
    {
        var damaged = new DamagedShelves();
        damaged.Add("a", "views/a.db.damaged-1", new InvalidDataException("bit"));
        var told = new List<string>();
        damaged.Told = (file, why) => told.Add($"{file}: {why}");
        damaged.Add("b", "views/b.db.damaged-1", new InvalidDataException("page"));
        Assert.That(told, Is.EqualTo(new[] { "views/a.db.damaged-1: bit", "views/b.db.damaged-1: page" }));
        Assert.That(damaged.Count, Is.EqualTo(2));
    }
}
