using CityGrid.Hub.Seams;

namespace CityGrid.Tests.Hosting;

/// <summary>A wire on which nobody is ever reached.</summary>
internal sealed class NoLine : IWire
{
    public void Dial(IWireEvents events) => events.Ended("No line.");
}
