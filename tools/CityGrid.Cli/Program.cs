using System.CommandLine.Invocation;
using CityGrid.Cli;

var parsed = Commands.Root().Parse(args);
var code = await parsed.InvokeAsync();

// The library answers 1 where it could not read the line; that is a command's own answer here.
return parsed.Action is ParseErrorAction ? 2 : code;
