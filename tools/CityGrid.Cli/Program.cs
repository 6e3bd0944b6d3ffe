using CityGrid.Cli;

return await Commands.Root().Parse(args).InvokeAsync();
