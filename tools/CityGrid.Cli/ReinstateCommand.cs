using System.CommandLine;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;

namespace CityGrid.Cli;

/// <summary>
/// <c>citygrid reinstate</c>: a directory whose node was refused above (EPOCH_REGRESSION, FENCED), or set aside there as one of two (FORK), goes on. Tells what only the parent knows of it, and with
/// <c>--confirm</c> gives it a new life (clause L7) and has the parent release the node.
/// </summary>
internal static class ReinstateCommand
{
    public static Command Create()
    {
        var configuration = new Option<FileInfo>("--config") { Description = Texts.Get("OptionBackupConfig"), Required = true };
        var parent = BeyondReport.ParentOption();
        parent.Required = true;
        var token = new Option<FileInfo?>("--parent-token-file") { Description = Texts.Get("OptionRestoreToken") };
        var confirm = new Option<bool>("--confirm") { Description = Texts.Get("OptionReinstateConfirm") };
        var command = new Command("reinstate", Texts.Get("CommandReinstate")) { configuration, parent, token, confirm };
        command.SetAction((parsed, stop) => BackupCommands.GuardedAsync(async () =>
        {
            var node = ConfigurationFile.Load(parsed.GetRequiredValue(configuration).FullName);
            if (!Directory.Exists(node.DataFolder))
            {
                throw new IOException(Texts.Get("FolderMissing", node.DataFolder));
            }

            var entropy = new SystemEntropy();
            using var owner = DirectoryLock.Take(node.DataFolder, entropy, TimeProvider.System);
            var disk = owner.Guard(PosixDisk.At(node.DataFolder));
            var report = new BeyondReport(new Uri(parsed.GetRequiredValue(parent)!), parsed.GetValue(token));
            using (var journal = FileJournal.Open(disk, entropy, node.Node))
            {
                Console.Out.WriteLine(await report.AskAsync(node.Node, journal, stop));
            }

            if (!parsed.GetValue(confirm))
            {
                Console.Out.WriteLine(Texts.Get("ReinstateAsked"));
                return 0;
            }

            // The life first: released before, a node that is started meanwhile would be set aside again.
            Console.Out.WriteLine(Texts.Get("ReinstateDone", node.Node, node.DataFolder, DirectoryLife.Renew(disk, entropy, node.Node)));
            Console.Out.WriteLine(Texts.Get(await report.ReleaseAsync(node.Node, stop) ? "ReinstateReleased" : "ReinstateNotHeld", node.Node));
            return 0;
        }));
        return command;
    }
}
