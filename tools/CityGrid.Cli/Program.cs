using System.CommandLine;
using System.CommandLine.Invocation;
using CityGrid.Cli;

// The commands are described in it, so it is known before they are made; whether it is one is said with the other faults of the line.
Texts.Choose(args.SkipWhile(word => word != "--lang").ElementAtOrDefault(1) ?? args.FirstOrDefault(word => word.StartsWith("--lang=", StringComparison.Ordinal))?["--lang=".Length..]);
var parsed = Commands.Root().Parse(args);

// Two seconds, the library's own patience after Ctrl-C, are too few for a tree of nodes to write out what they hold.
var code = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(60) });

// The library answers 1 where it could not read the line; that is a command's own answer here.
return parsed.Action is ParseErrorAction ? 2 : code;
