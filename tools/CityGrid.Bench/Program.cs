using System.Globalization;
using CityGrid.Bench;
using CityGrid.Protocol.Names;

switch (args)
{
    case ["--serve-nothing"]:
        await ServerMeasures.ServeNothingAsync(null);
        return 0;
    case ["--serve-appends", var folder]:
        await ServerMeasures.ServeNothingAsync(folder);
        return 0;
    case ["--call", var url, var token]:
        ServerMeasures.Call(url, token);
        return 0;
    case ["--fill", var folder, var node, var division, var rows]:
        using (var filled = new BenchNode(folder, (NodeId.Parse(node), DivisionCode.Parse(division))))
        {
            await filled.ImportAsync(int.Parse(rows, CultureInfo.InvariantCulture));
            filled.Core.SaveSnapshot();
        }

        return 0;
    default:
        const string Only = "--only=";
        return await new Suite(
            args.FirstOrDefault(a => !a.StartsWith(Only, StringComparison.Ordinal)),
            args.FirstOrDefault(a => a.StartsWith(Only, StringComparison.Ordinal))?[Only.Length..]).RunAsync();
}
