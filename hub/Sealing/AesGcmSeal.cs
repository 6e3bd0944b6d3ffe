using System.Security.Cryptography;

namespace CityGrid.Hub.Sealing;

/// <summary>AES-256-GCM with a 96-bit nonce and a 128-bit tag. Safe for many threads: each call has a cipher of its own, since each case has a key of its own.</summary>
public sealed class AesGcmSeal : ISeal
{
    public byte Algorithm => 1;

    public void Encrypt(in SealInput input, ReadOnlySpan<byte> plaintext, Span<byte> ciphertext, Span<byte> tag)
    {
        using var cipher = new AesGcm(input.Key, SealInput.TagBytes);
        cipher.Encrypt(input.Nonce, plaintext, ciphertext, tag, input.Associated);
    }

    public bool TryDecrypt(in SealInput input, ReadOnlySpan<byte> ciphertext, ReadOnlySpan<byte> tag, Span<byte> plaintext)
    {
        using var cipher = new AesGcm(input.Key, SealInput.TagBytes);
        try
        {
            cipher.Decrypt(input.Nonce, ciphertext, tag, plaintext, input.Associated);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            plaintext.Clear();
            return false;
        }
    }
}
