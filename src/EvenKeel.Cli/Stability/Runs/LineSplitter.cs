using System.Text;

namespace EvenKeel.Cli.Stability.Runs;

/// <summary>
/// A line splitter takes text as it comes and gives lines, without their ends. A line that never ends is cut: a test may write what
/// it likes.
/// </summary>
internal sealed class LineSplitter(Action<string> take)
{
    private const int MostLetters = 4_000_000;

    private readonly StringBuilder _open = new();

    public void Add(ReadOnlySpan<char> text)
    {
        while (text.IndexOf('\n') is var end and >= 0)
        {
            _open.Append(text[..end]);
            text = text[(end + 1)..];
            Give();
        }
        _open.Append(text);
        if (_open.Length > MostLetters)
            Give();
    }

    /// <summary>The text has ended; what is open is its last line.</summary>
    public void End()
    {
        if (_open.Length > 0)
            Give();
    }

    private void Give()
    {
        if (_open.Length > 0 && _open[^1] == '\r')
            _open.Length--;
        take(_open.ToString());
        _open.Clear();
    }
}
