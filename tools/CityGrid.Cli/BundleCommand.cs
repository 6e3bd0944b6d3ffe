using System.CommandLine;
using CityGrid.Node.V1;
using Google.Protobuf;
using Grpc.Core;
using Spectre.Console;

namespace CityGrid.Cli;

/// <summary><c>citygrid bundle make|take</c>: the link by files, where no line reaches (clauses B1 to B4).</summary>
internal static class BundleCommand
{
    private const int PieceBytes = 1 << 20;

    public static Command Create() =>
        new("bundle", Texts.Get("CommandBundle")) { Make(), Take() };

    private static Command Make()
    {
        var node = new NodeCall();
        var reader = new Option<FileInfo>("--for") { Description = Texts.Get("OptionBundleFor"), Required = true };
        var target = new Option<string>("--out") { Description = Texts.Get("OptionBundleOut"), Required = true };
        var command = new Command("make", Texts.Get("CommandBundleMake")) { reader, target };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var path = parsed.GetRequiredValue(target);
            var request = new MakeBundleRequest { ReaderCertificate = await File.ReadAllTextAsync(parsed.GetRequiredValue(reader).FullName, stop) };
            using var call = client.Bundles.MakeBundle(request, client.Options.WithCancellationToken(stop));
            BundleMade? made = null;
            await WholeAsync(path, call.ResponseStream.ReadAllAsync(stop), response =>
            {
                made ??= response.Made;
                return response.Piece;
            });
            AnsiConsole.WriteLine(Texts.Get("BundleMade", path, made!.Parts, made.EndLsn));
            AnsiConsole.WriteLine(Texts.Get(made.ReachesHead ? "BundleNext" : "BundleMore"));
            return 0;
        }));
        return command;
    }

    private static Command Take()
    {
        var node = new NodeCall();
        var file = new Argument<FileInfo>("FILE") { Description = Texts.Get("ArgumentBundle") };
        file.AcceptExistingOnly();
        var answer = new Option<string?>("--answer") { Description = Texts.Get("OptionBundleAnswer") };
        var command = new Command("take", Texts.Get("CommandBundleTake")) { file, answer };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var source = parsed.GetRequiredValue(file).FullName;
            using var call = client.Bundles.TakeBundle(client.Options.WithCancellationToken(stop));
            await SendAsync(source, call, stop);
            BundleTaken? taken = null;
            var path = parsed.GetValue(answer) ?? source + ".answer";
            var written = await WholeAsync(path, call.ResponseStream.ReadAllAsync(stop), response =>
            {
                taken ??= response.Taken;
                return response.Piece;
            });
            return Tell(taken!, written ? path : null);
        }));
        return command;
    }

    private static int Tell(BundleTaken taken, string? answer)
    {
        AnsiConsole.WriteLine(answer is null
            ? Texts.Get("BundleAnswerTaken", taken.From, taken.Orders)
            : Texts.Get("BundleTaken", taken.From, taken.Accepted, taken.Unchanged, taken.SetAside, answer));
        if (taken.Packages > 0 || taken.RefusedPackages.Count > 0)
        {
            AnsiConsole.WriteLine(Texts.Get("BundlePackages", taken.Packages, taken.RefusedPackages.Count == 0 ? "-" : string.Join(", ", taken.RefusedPackages)));
        }

        if (taken.RefusalCode.Length > 0)
        {
            Console.Error.WriteLine(Texts.Get("BundleRefused", taken.RefusalCode, taken.RefusalMessage));
            return 1;
        }

        if (!taken.ReachesHead)
        {
            AnsiConsole.WriteLine(Texts.Get("BundleMore"));
        }

        return 0;
    }

    private static async Task SendAsync(string path, AsyncDuplexStreamingCall<TakeBundleRequest, TakeBundleResponse> call, CancellationToken stop)
    {
        await using var file = File.OpenRead(path);
        var piece = new byte[PieceBytes];
        for (int read; (read = await file.ReadAtLeastAsync(piece, PieceBytes, throwOnEndOfStream: false, stop)) > 0;)
        {
            await call.RequestStream.WriteAsync(new TakeBundleRequest { Piece = ByteString.CopyFrom(piece, 0, read) }, stop);
        }

        await call.RequestStream.CompleteAsync();
    }

    /// <summary>Writes the pieces beside the file that they make, and moves that into place when it is whole. False where there were none.</summary>
    private static async Task<bool> WholeAsync<T>(string path, IAsyncEnumerable<T> messages, Func<T, ByteString> pieceOf)
    {
        var temporary = path + ".part";
        var any = false;
        try
        {
            await using (var file = File.Create(temporary))
            {
                await foreach (var message in messages)
                {
                    var piece = pieceOf(message);
                    any |= !piece.IsEmpty;
                    await file.WriteAsync(piece.Memory);
                }
            }

            if (any)
            {
                File.Move(temporary, path, overwrite: true);
            }

            return any;
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
