using System.CommandLine;
using System.CommandLine.Invocation;
using CityGrid.Cli;

var parsed = Commands.Root().Parse(args);

// Two seconds, the library's own patience after Ctrl-C, are too few for a tree of nodes to write out what they hold.
var code = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(60) });

// The library answers 1 where it could not read the line; that is a command's own answer here.
return parsed.Action is ParseErrorAction ? 2 : code;
