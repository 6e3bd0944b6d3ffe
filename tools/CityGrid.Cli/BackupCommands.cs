using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using CityGrid.Hub.Backup;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Checks;
using CityGrid.Node.Configuration;
using CityGrid.Node.Hosting;

namespace CityGrid.Cli;

/// <summary>
/// <c>citygrid backup</c> and <c>citygrid restore</c>. They work on the files of a directory and never ask its node: there is no call by which everything
/// that a node has could be carried away, and a node that does not run is backed up in the same way.
/// </summary>
internal static class BackupCommands
{
    public static Command Backup()
    {
        var configuration = new Option<FileInfo>("--config") { Description = Texts.Get("OptionBackupConfig"), Required = true };
        var to = new Option<string>("--to") { Description = Texts.Get("OptionBackupTo"), Required = true };
        var key = KeyOption();
        var command = new Command("backup", Texts.Get("CommandBackup")) { configuration, to, key };
        command.SetAction(parsed => Guarded(() =>
        {
            var node = ConfigurationFile.Load(parsed.GetRequiredValue(configuration).FullName);
            if (!Directory.Exists(node.DataFolder))
            {
                throw new IOException(Texts.Get("FolderMissing", node.DataFolder));
            }

            var secret = ReadKey(parsed.GetRequiredValue(key));
            var folder = parsed.GetRequiredValue(to);
            var shelf = PosixDisk.At(folder);
            using var alone = Alone(folder, node.Node.ToString());
            var taking = new BackupTaking(PosixDisk.At(node.DataFolder), shelf, secret, new SystemEntropy(), TimeProvider.System) { Progress = new ProgressLines().Tell };
            var taken = taking.Take(new BackupSubject(node.Node, node.Parent is null, NodeProcess.Version) { Configuration = [.. ConfigurationOf(node)] });
            Console.Out.WriteLine(Texts.Get("BackupDone", node.Node, taken.Content.Head.Lsn, taken.Content.Files, Megabytes(taken.Content.Bytes), Path.Combine(folder, taken.File), Path.Combine(folder, taken.KeysFile)));
            return 0;
        }));
        command.Subcommands.Add(Verify());
        command.Subcommands.Add(NewKey());
        return command;
    }

    public static Command Restore()
    {
        var file = new Argument<FileInfo>("FILE") { Description = Texts.Get("ArgumentBackup") };
        var to = new Option<string>("--to") { Description = Texts.Get("OptionRestoreTo"), Required = true };
        var keys = new Option<FileInfo?>("--keys") { Description = Texts.Get("OptionRestoreKeys") };
        var key = KeyOption();
        var parent = BeyondReport.ParentOption();
        var token = new Option<FileInfo?>("--parent-token-file") { Description = Texts.Get("OptionRestoreToken") };
        var command = new Command("restore", Texts.Get("CommandRestore")) { file, to, key, keys, parent, token };
        command.SetAction(async (parsed, stop) => await GuardedAsync(async () =>
        {
            var secret = ReadKey(parsed.GetRequiredValue(key));
            var source = parsed.GetRequiredValue(file);
            using var node = Open(source, secret);
            var keysFile = parsed.GetValue(keys) ?? new FileInfo(Path.Combine(source.DirectoryName!, BackupTaking.KeysNameOf(node.Content.Node, node.Content.Incarnation)));
            using var keyFiles = Open(keysFile, secret);

            // Before anything is written: a parent that does not answer is better known now.
            var beyond = parsed.GetValue(parent) is { } url ? await new BeyondReport(new Uri(url), parsed.GetValue(token)).AskAsync(node.Content.Node, node.Content.Incarnation, node.Content.Head.Lsn, stop) : null;
            var folder = parsed.GetRequiredValue(to);
            var restored = new BackupRestoring(PosixDisk.At(folder), new SystemEntropy(), TimeProvider.System) { Progress = new ProgressLines().Tell }.Restore(node, keyFiles);
            Console.Out.WriteLine(Texts.Get("RestoreDone", restored.Content.Node, folder, restored.Content.Head.Lsn, restored.Content.TakenAt, restored.Incarnation));
            Console.Out.WriteLine(beyond ?? Texts.Get("RestoreNotAsked"));
            Console.Out.WriteLine(Texts.Get("RestoreErasures", keyFiles.Content.TakenAt));
            return 0;
        }));
        return command;
    }

    private static Command Verify()
    {
        var file = new Argument<FileInfo>("FILE") { Description = Texts.Get("ArgumentBackup") };
        var key = KeyOption();
        var command = new Command("verify", Texts.Get("VerifyCodes", Texts.Get("CommandBackupVerify"))) { file, key };
        command.SetAction(parsed => Guarded(() =>
        {
            var verdict = VerdictOf(parsed.GetRequiredValue(file), ReadKey(parsed.GetRequiredValue(key)));
            Console.Out.WriteLine(Texts.Verdict(verdict));
            return verdict.ExitCode;
        }));
        return command;
    }

    private static Command NewKey()
    {
        var file = new Argument<FileInfo>("FILE") { Description = Texts.Get("ArgumentNewKey") };
        var command = new Command("new-key", Texts.Get("CommandNewKey")) { file };
        command.SetAction(parsed => Guarded(() =>
        {
            var path = parsed.GetRequiredValue(file).FullName;
            if (File.Exists(path))
            {
                throw new IOException(Texts.Get("KeyIsThere", path));
            }

            DevelopmentAuthority.WriteSecret(path, BackupKey.ToText(RandomNumberGenerator.GetBytes(BackupKey.KeyBytes)));
            Console.Out.WriteLine(Texts.Get("KeyWritten", path));
            return 0;
        }));
        return command;
    }

    private static CheckVerdict VerdictOf(FileInfo file, BackupKey key)
    {
        try
        {
            using var reader = Open(file, key);
            reader.Verify();
            var content = reader.Content;
            return CheckVerdict.Sound(Texts.Get(content.Kind == BackupKind.Node ? "BackupSound" : "BackupKeysSound", content.Node, content.Head.Lsn, content.TakenAt, content.Files, Megabytes(content.Bytes)));
        }
        catch (BackupDamagedException damaged)
        {
            return CheckVerdict.Damaged($"{damaged.File}:{damaged.Offset}", damaged.What);
        }
        catch (Exception undecided) when (undecided is BackupKeyException or DiskFailedException)
        {
            return CheckVerdict.CannotDecide(undecided.Message);
        }
    }

    private static Option<FileInfo> KeyOption() => new("--key-file") { Description = Texts.Get("OptionBackupKey"), Required = true };

    private static BackupReader Open(FileInfo file, BackupKey key) => file.Exists
        ? BackupReader.Open(PosixDisk.At(file.DirectoryName!), file.Name, key)
        : throw new IOException(Texts.Get("FileMissing", file.FullName));

    private static BackupKey ReadKey(FileInfo file)
    {
        if (!file.Exists)
        {
            throw new IOException(Texts.Get("FileMissing", file.FullName));
        }

        if (SecretFiles.FaultOf("--key-file", file.FullName) is { } fault)
        {
            throw new IOException(fault.ToString());
        }

        return BackupKey.Parse(File.ReadAllText(file.FullName), out var wrong) ?? throw new IOException(Texts.Get("KeyBad", file.FullName, wrong));
    }

    /// <summary>The configuration names its secrets and holds none.</summary>
    private static IEnumerable<(string Name, byte[] Bytes)> ConfigurationOf(NodeConfiguration node)
    {
        yield return ("node.json", File.ReadAllBytes(node.File));
        if (node.RegisterFile is { } register)
        {
            yield return ("divisions.csv", File.ReadAllBytes(register));
        }

        if (node.SectorParent?.RegisterFile is { } sector)
        {
            yield return ("sector-divisions.csv", File.ReadAllBytes(sector));
        }
    }

    private static FileStream Alone(string folder, string node)
    {
        try
        {
            return new FileStream(Path.Combine(folder, $".{node}.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new IOException(Texts.Get("BackupUnderWay", node, folder));
        }
    }

    internal static string Megabytes(long bytes) => (bytes / 1e6).ToString("N1", CultureInfo.InvariantCulture);

    private static int Guarded(Func<int> work) => GuardedAsync(() => Task.FromResult(work())).GetAwaiter().GetResult();

    /// <summary>1 where it was refused, 2 where the command line names what cannot be used, 64, 70 and 78 as the node itself ends.</summary>
    internal static async Task<int> GuardedAsync(Func<Task<int>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception failure) when (failure is BackupDamagedException or BackupKeyException or RestoreRefusedException or JournalOfAnotherNodeException)
        {
            await Console.Error.WriteLineAsync(failure.Message);
            return 1;
        }
        catch (Exception failure) when (ExitCodes.Of(failure) is ExitCodes.NewerFormat or ExitCodes.Storage or ExitCodes.Configuration)
        {
            await Console.Error.WriteLineAsync(failure.Message);
            return ExitCodes.Of(failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or HttpRequestException)
        {
            await Console.Error.WriteLineAsync(failure.Message);
            return 2;
        }
    }

    /// <summary>A line as a phase begins and with every 256 MB of it.</summary>
    private sealed class ProgressLines
    {
        private const long Every = 256L << 20;

        private BackupPhase? _phase;
        private long _next;

        public void Tell(BackupProgress progress)
        {
            if (progress.Phase == _phase && progress.Done < _next)
            {
                return;
            }

            _next = progress.Phase == _phase ? progress.Done + Every : Every;
            _phase = progress.Phase;
            var phase = progress.Phase switch
            {
                BackupPhase.Copying => Texts.Get("PhaseCopying"),
                BackupPhase.CopyingKeys => Texts.Get("PhaseCopyingKeys"),
                BackupPhase.Verifying => Texts.Get("PhaseVerifying"),
                _ => Texts.Get("PhaseRestoring"),
            };
            Console.Out.WriteLine(progress.All > 0 ? $"{phase}: {Megabytes(progress.Done)} / {Megabytes(progress.All)} MB" : $"{phase}: {Megabytes(progress.Done)} MB");
        }
    }
}
