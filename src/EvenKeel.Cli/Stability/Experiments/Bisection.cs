namespace EvenKeel.Cli.Stability.Experiments;

/// <summary>Bisection finds the one test among many without which something does not show, by running halves.</summary>
internal static class Bisection
{
    /// <summary>
    /// The smallest part of the candidates, in their order, with which it still shows: one test where one is enough.
    /// Empty when it does not show even with all of them, or is not to be seen in the halves again.
    /// </summary>
    public static async Task<IReadOnlyList<int>> FindAsync(
        IReadOnlyList<int> candidates, Func<IReadOnlyList<int>, Task<bool>> showsWith)
    {
        var part = candidates;
        var granularity = 2;
        while (part.Count > 1)
        {
            var size = (part.Count + granularity - 1) / granularity;
            var chunks = part.Chunk(size).ToList();
            IReadOnlyList<int>? smaller = null;
            foreach (var chunk in chunks)
            {
                if (await showsWith(chunk))
                {
                    smaller = chunk;
                    granularity = 2;
                    break;
                }
            }
            // Two that are needed together lie in different parts: leave out one part at a time.
            for (var i = 0; smaller is null && chunks.Count > 2 && i < chunks.Count; i++)
            {
                var rest = chunks.Where((_, at) => at != i).SelectMany(chunk => chunk).ToList();
                if (await showsWith(rest))
                {
                    smaller = rest;
                    granularity = Math.Max(granularity - 1, 2);
                }
            }
            if (smaller is not null)
                part = smaller;
            else if (granularity >= part.Count)
                return part;
            else
                granularity = Math.Min(granularity * 2, part.Count);
        }
        return part;
    }
}
