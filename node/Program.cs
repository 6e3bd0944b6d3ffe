using CityGrid.Node;
using CityGrid.Node.Hosting;

return await NodeProcess.RunAsync(args, Console.Out, Console.Error, NodeServer.RunAsync);
