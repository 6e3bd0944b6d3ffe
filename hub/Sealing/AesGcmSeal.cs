using System.Security.Cryptography;

namespace CityGrid.Hub.Sealing;

/// <summary>
/// AES-256-GCM with a 96-bit nonce and a 128-bit tag. Each case has a key of its own, so each call needs a cipher of its own: to make that takes the runtime's cipher ten
/// times as long as sealing a report does, and libsodium no time, which is why that is used where it is there. Both make and open the same boxes. Safe for many threads.
/// </summary>
public sealed class AesGcmSeal : ISeal
{
    private const int KeyBytes = 32;

    private readonly bool _ofSodium;

    public AesGcmSeal()
        : this(Sodium.HasAesGcm)
    {
    }

    /// <param name="ofSodium">False for the runtime's own cipher, whatever else is there.</param>
    internal AesGcmSeal(bool ofSodium) => _ofSodium = ofSodium;

    public byte Algorithm => 1;

    public void Encrypt(in SealInput input, ReadOnlySpan<byte> plaintext, Span<byte> ciphertext, Span<byte> tag)
    {
        CheckLengths(input, plaintext.Length, ciphertext.Length, tag.Length);
        if (_ofSodium)
        {
            Sodium.Encrypt(input, plaintext, ciphertext, tag);
            return;
        }

        using var cipher = new AesGcm(input.Key, SealInput.TagBytes);
        cipher.Encrypt(input.Nonce, plaintext, ciphertext, tag, input.Associated);
    }

    public bool TryDecrypt(in SealInput input, ReadOnlySpan<byte> ciphertext, ReadOnlySpan<byte> tag, Span<byte> plaintext)
    {
        CheckLengths(input, plaintext.Length, ciphertext.Length, tag.Length);
        if (OpensWhole(input, ciphertext, tag, plaintext))
        {
            return true;
        }

        plaintext.Clear();
        return false;
    }

    private bool OpensWhole(in SealInput input, ReadOnlySpan<byte> ciphertext, ReadOnlySpan<byte> tag, Span<byte> plaintext)
    {
        if (_ofSodium)
        {
            return Sodium.TryDecrypt(input, ciphertext, tag, plaintext);
        }

        using var cipher = new AesGcm(input.Key, SealInput.TagBytes);
        try
        {
            cipher.Decrypt(input.Nonce, ciphertext, tag, plaintext, input.Associated);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    private static void CheckLengths(in SealInput input, int plaintext, int ciphertext, int tag)
    {
        if (input.Key.Length != KeyBytes || input.Nonce.Length != SealInput.NonceBytes || tag != SealInput.TagBytes || plaintext != ciphertext)
        {
            throw new ArgumentException($"A key has {KeyBytes} bytes, a nonce {SealInput.NonceBytes}, a tag {SealInput.TagBytes}, and both texts are equally long: these have {input.Key.Length}, {input.Nonce.Length}, {tag}, {plaintext} and {ciphertext}.");
        }
    }
}
