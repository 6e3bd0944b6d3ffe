using System.CommandLine;
using CityGrid.Node.Checks;
using CityGrid.Node.Configuration;
using CityGrid.Node.Hosting;

namespace CityGrid.Cli;

/// <summary><c>citygrid rebuild</c>: the folds depend on what the configuration says (register, zone, division), so it names that and not the directory alone.</summary>
internal static class RebuildCommand
{
    public static Command Create()
    {
        var configuration = new Option<FileInfo>("--config") { Description = Texts.Get("OptionBackupConfig"), Required = true };
        var command = new Command("rebuild", Texts.Get("VerifyCodes", Texts.Get("CommandRebuild"))) { configuration };
        command.SetAction(parsed =>
        {
            try
            {
                var verdict = DirectoryRebuild.Rebuild(
                    ConfigurationFile.Load(parsed.GetRequiredValue(configuration).FullName), (done, all) => Console.Out.WriteLine(Texts.Get("RebuildProgress", done, all)));
                Console.Out.WriteLine(Texts.Verdict(verdict));
                return verdict.ExitCode;
            }
            catch (Exception failure) when (ExitCodes.Of(failure) is ExitCodes.Configuration or ExitCodes.NewerFormat)
            {
                Console.Error.WriteLine(failure.Message);
                return ExitCodes.Of(failure);
            }
        });
        return command;
    }
}
